// app.js: the user front: one's own profile, shown and changed.

import {dateText, h, setPlain, t, timeText} from './dom.js';
import {run} from './frame.js';
import {call, session} from './session.js';
import {texts} from './texts-user.js';

const BIO_MAX = 1000;

function row(id, key, input, more = null) {
  input.id = id;
  input.name = id;
  return h('div', {class: 'field'}, h('label', {for: id, t: key}), input, more);
}

function zones(chosen) {
  const known = Intl.supportedValuesOf?.('timeZone') ?? ['Asia/Tokyo', 'Europe/London', 'America/New_York'];
  return [...new Set([...known, 'UTC', chosen])].sort().map((zone) => h('option', {value: zone}, zone));
}

function profileView() {
  const name = h('input', {maxlength: 80, required: true, autocomplete: 'name'});
  const organisation = h('input', {maxlength: 120, autocomplete: 'organization'});
  const bio = h('textarea', {rows: 5, maxlength: BIO_MAX, 'aria-describedby': 'bio-left'});
  const left = h('p', {class: 'help', id: 'bio-left'});
  const language = h('select', {}, h('option', {value: 'ja', lang: 'ja'}, '日本語'), h('option', {value: 'en', lang: 'en'}, 'English'));
  const zone = h('select', {});
  const save = h('button', {class: 'main', type: 'submit', t: 'save'});
  const said = h('p', {class: 'said', role: 'status'});
  const avatar = h('div', {class: 'avatar', 'aria-hidden': 'true'});
  const shownName = h('h2', {class: 'name'});
  const shownPlace = h('p', {class: 'place'});
  const when = h('p', {class: 'help'});
  const until = h('p', {class: 'help'});
  const role = h('span', {class: 'badge'});
  // Nothing can be typed before the profile is there: it would be overwritten.
  const fields = h('fieldset', {disabled: true}, row('display-name', 'display_name', name), row('organisation', 'organisation', organisation),
    row('bio', 'bio', bio, left),
    h('div', {class: 'pair'}, row('language', 'mail_language', language), row('time-zone', 'time_zone', zone)));
  const form = h('form', {class: 'card', novalidate: true, onsubmit: store},
    h('h1', {t: 'profile'}), h('p', {class: 'help', t: 'profile_lead'}), fields,
    h('div', {class: 'actions'}, save, said));
  const face = h('aside', {class: 'card face'}, avatar, shownName, shownPlace, role, when, until);
  const view = h('div', {class: 'columns'}, face, form);
  let profile = null;

  bio.addEventListener('input', count);
  view.update = update;
  load();
  return view;

  function count() {
    left.textContent = t('bio_count', {left: BIO_MAX - [...bio.value].length});
  }

  function update() {
    count();
    save.disabled = session.status !== 'in' || !profile;
    const shown = profile?.displayName || t('no_name');
    shownName.textContent = shown;
    avatar.textContent = [...(profile?.displayName || session.user?.email || '?')][0].toUpperCase();
    shownPlace.textContent = profile?.organisation ?? '';
    role.textContent = t(session.user?.roles.includes('admin') ? 'role_admin' : 'role_user');
    when.textContent = profile?.changedAt ? t('changed_at', {when: dateText(new Date(profile.changedAt))}) : t('never_changed');
    until.textContent = session.expiresAt ? t('signed_in_until', {until: timeText(session.expiresAt)}) : '';
  }

  function fill(news) {
    profile = news;
    name.value = news.displayName;
    organisation.value = news.organisation;
    bio.value = news.bio;
    language.value = news.language;
    zone.replaceChildren(...zones(news.timeZone));
    zone.value = news.timeZone;
    fields.disabled = false;
    update();
  }

  async function load() {
    try {
      fill(await (await call('user', '/api/profile')).json());
      setPlain(said, '');
    } catch {
      said.replaceChildren(h('span', {t: 'not_loaded'}), ' ',
        h('button', {type: 'button', class: 'link', t: 'try_again', onclick: load}));
    }
  }

  async function store(event) {
    event.preventDefault();
    name.removeAttribute('aria-invalid');
    if (!name.value.trim()) {
      name.setAttribute('aria-invalid', 'true');
      name.focus();
      return say('name_needed', true);
    }
    save.disabled = true;
    try {
      const response = await call('user', '/api/profile', {
        method: 'PUT',
        headers: {'Content-Type': 'application/json', 'If-Match': `"${profile.version}"`},
        body: JSON.stringify({
          displayName: name.value.trim(), organisation: organisation.value.trim(), bio: bio.value,
          language: language.value, timeZone: zone.value,
        }),
      });
      profile = await response.json();
      say('saved');
    } catch (problem) {
      if (problem.status === 412) {
        await load();
        say('changed_elsewhere', true);
      } else {
        say(problem.status === 0 || problem.status >= 500 ? 'service_away' : 'failed', true);
      }
    } finally {
      update();
    }
  }

  function say(key, bad = false) {
    said.classList.toggle('bad', bad);
    said.replaceChildren(h('span', {t: key}));
  }
}

run({texts, view: profileView});
