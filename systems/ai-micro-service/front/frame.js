// frame.js: what surrounds both fronts: header, language switch, notices; and which view is shown.

import {addTexts, chooseLanguage, currentLanguage, h, onLanguage, setPlain, setText, startLanguage, t, timeText} from './dom.js';
import {logOut, onSession, session, start} from './session.js';
import {signInCard} from './signin.js';
import {sharedTexts} from './texts.js';

// `texts` must have 'title', 'lead' and 'points' (lines of the welcome). `view()` makes the element for who is
// signed in; its `update()`, where there is one, is called when the session or the language changes.
export async function run({texts, view}) {
  addTexts(texts);
  addTexts(sharedTexts);
  startLanguage();

  const notice = h('p', {class: 'notice', role: 'status', hidden: true});
  const languages = ['ja', 'en'].map((language) =>
    h('button', {type: 'button', lang: language, onclick: () => chooseLanguage(language)},
      language === 'ja' ? '日本語' : 'English'));
  const who = h('span', {class: 'who'});
  const leave = h('button', {type: 'button', class: 'quiet', t: 'log_out', onclick: goodbye});
  const account = h('div', {class: 'account', hidden: true}, who, leave);
  const main = h('main', {id: 'content', tabindex: '-1'});
  const card = signInCard();
  const welcome = h('div', {class: 'welcome'},
    h('div', {class: 'words'},
      h('img', {src: '/icon.svg', alt: '', width: 72, height: 72}), h('h1', {t: 'title'}), h('p', {class: 'lead', t: 'lead'})),
    card);
  let inside = null;
  let farewell = null;

  async function goodbye() {
    leave.disabled = true;
    const told = await logOut();
    leave.disabled = false;
    farewell = told ? 'signed_out' : 'signed_out_here';
    update();
    main.focus();
  }

  function noticeText() {
    const until = timeText(session.expiresAt);
    if (session.status === 'waiting') return t('session_waits');
    if (session.authAway) return session.status === 'in' ? t('auth_away_in', {until}) : t('auth_away_out');
    if (session.status === 'out' && farewell) return t(farewell);
    return '';
  }

  function update() {
    const signedIn = session.status === 'in' || session.status === 'waiting';
    if (signedIn) farewell = null;
    document.title = `${t('title')} | ai-micro`;
    const text = noticeText();
    notice.hidden = text === '';
    if (notice.textContent !== text) setPlain(notice, text);
    languages.forEach((button) =>
      button.setAttribute('aria-pressed', String(button.lang === currentLanguage())));
    account.hidden = !signedIn;
    who.textContent = session.user?.email ?? '';
    who.title = signedIn ? t('signed_in_until', {until: timeText(session.expiresAt)}) : '';
    show(signedIn);
    card.update();
    inside?.update?.();
  }

  function show(signedIn) {
    if (session.status === 'starting' && !session.authAway) return;
    if (signedIn && !inside) {
      inside = view();
      main.replaceChildren(inside);
    } else if (!signedIn && (inside || !welcome.isConnected)) {
      inside = null;
      main.replaceChildren(welcome);
    }
  }

  document.body.replaceChildren(
    h('a', {class: 'skip', href: '#content', t: 'skip'}),
    h('header', {class: 'bar'},
      h('a', {class: 'brand', href: '/'}, h('img', {src: '/icon.svg', alt: '', width: 28, height: 28}),
        h('span', {}, 'ai-micro'), h('span', {class: 'area', t: 'area'})),
      h('div', {class: 'languages', role: 'group', label: 'language'}, ...languages), account),
    notice, main,
    h('footer', {class: 'foot'}, h('span', {t: 'foot'})));
  onSession(update);
  onLanguage(update);
  update();
  try {
    await start();
  } catch {
    notice.hidden = false;
    setText(notice, 'service_away');
  }
}
