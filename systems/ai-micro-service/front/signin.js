// signin.js: the card with which people log in or make an account.

import {h, setPlain, setText, t} from './dom.js';
import {logIn, register, session} from './session.js';

// The words for what went wrong; `seconds` where one must wait.
export function wordsFor(problem) {
  if (problem.status === 401) return t('wrong_login');
  if (problem.status === 409) return t('email_taken');
  if (problem.status === 422) return t(problem.message.includes('e-mail') ? 'email_bad' : 'password_bad');
  if (problem.status === 429) return t('too_often', {seconds: problem.retryAfter || 60});
  if (problem.status === 0 || problem.status >= 500) return t('auth_away_out');
  return t('failed');
}

function field(id, key, properties, help) {
  const input = h('input', {id, name: id, required: true, ...properties, 'aria-describedby': help ? `${id}-help` : null});
  return {
    input,
    row: h('div', {class: 'field'}, h('label', {for: id, t: key}), input,
           help ? h('p', {id: `${id}-help`, class: 'help', t: help}) : null),
  };
}

export function signInCard() {
  let making = false;
  const email = field('email', 'email', {type: 'email', autocomplete: 'username', maxlength: 254, spellcheck: 'false'});
  const password = field('password', 'password', {type: 'password', autocomplete: 'current-password', maxlength: 256}, 'password_rule');
  const help = password.row.querySelector('.help');
  const show = h('input', {type: 'checkbox', id: 'show-password'});
  const fault = h('p', {class: 'fault', role: 'alert', hidden: true});
  const submit = h('button', {class: 'main', type: 'submit', t: 'log_in'});
  const tabs = [false, true].map((makes) =>
    h('button', {type: 'button', role: 'tab', id: makes ? 'tab-register' : 'tab-login', 'aria-controls': 'sign-in-form',
                 t: makes ? 'create_account' : 'log_in', onclick: () => choose(makes)}));
  const form = h('form', {id: 'sign-in-form', role: 'tabpanel', novalidate: true, onsubmit: send},
    email.row, password.row, h('label', {class: 'check', for: 'show-password'}, show, h('span', {t: 'show_password'})),
    fault, submit);

  show.addEventListener('change', () => { password.input.type = show.checked ? 'text' : 'password'; });
  const tablist = h('div', {class: 'tabs', role: 'tablist', label: 'choose_form'}, ...tabs);
  tablist.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    choose(!making);
    tabs[making ? 1 : 0].focus();
  });

  function choose(makes) {
    making = makes;
    tabs.forEach((tab, i) => {
      const chosen = (i === 1) === making;
      tab.setAttribute('aria-selected', String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    });
    form.setAttribute('aria-labelledby', making ? 'tab-register' : 'tab-login');
    password.input.autocomplete = making ? 'new-password' : 'current-password';
    help.hidden = !making;
    setText(submit, making ? 'create_account' : 'log_in');
    fault.hidden = true;
  }

  function say(text, input) {
    setPlain(fault, text);
    fault.hidden = false;
    for (const each of [email.input, password.input]) each.removeAttribute('aria-invalid');
    if (!input) return;
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  }

  async function send(event) {
    event.preventDefault();
    if (!email.input.checkValidity()) return say(t('email_bad'), email.input);
    if (making ? [...password.input.value].length < 10 : !password.input.value)
      return say(making ? t('password_bad') : t('wrong_login'), password.input);
    fault.hidden = true;
    submit.disabled = true;
    setText(submit, 'working');
    try {
      if (making) await register(email.input.value, password.input.value);
      await logIn(email.input.value, password.input.value);
      form.reset();
      password.input.type = 'password';
      choose(false);
    } catch (problem) {
      say(wordsFor(problem), problem.status === 401 || problem.status === 422 ? password.input : null);
    } finally {
      submit.disabled = false;
      setText(submit, making ? 'create_account' : 'log_in');
    }
  }

  choose(false);
  const card = h('section', {class: 'card sign-in'}, tablist, form);
  card.update = () => { submit.disabled = session.status === 'starting'; };
  return card;
}
