// dom.js: builds elements, and speaks two languages. Texts come from a dictionary {key: {ja, en}}.
//
// An element made with `t: 'key'` keeps that key, so that changing the language changes its text in place:
// nothing that somebody typed is lost.

const dictionaries = [];
const listeners = new Set();
let language = 'ja';

export function addTexts(texts) {
  dictionaries.push(texts);
}

export function t(key, values = {}) {
  const entry = dictionaries.map((texts) => texts[key]).find(Boolean);
  if (!entry) throw new Error(`no text for '${key}'`);
  return entry[language].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

export function currentLanguage() {
  return language;
}

export function onLanguage(listener) {
  listeners.add(listener);
}

export function chooseLanguage(chosen) {
  language = chosen === 'en' ? 'en' : 'ja';
  document.documentElement.lang = language;
  try {
    localStorage.setItem('language', language);
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
  translate(document);
  for (const listener of listeners) listener();
}

// What was chosen before, else what the browser prefers.
export function startLanguage() {
  let chosen = null;
  try {
    chosen = localStorage.getItem('language');
  } catch {
    chosen = null;
  }
  chooseLanguage(chosen ?? (navigator.language.startsWith('ja') ? 'ja' : 'en'));
}

function translate(root) {
  for (const element of root.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll('[data-t-label]'))
    element.setAttribute('aria-label', t(element.dataset.tLabel));
  for (const element of root.querySelectorAll('[data-t-hint]')) element.placeholder = t(element.dataset.tHint);
}

// h('button', {class: 'quiet', t: 'save', onclick: f}, child, 'text')
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 't') setText(element, value);
    else if (name === 'label') {
      element.dataset.tLabel = value;
      element.setAttribute('aria-label', t(value));
    } else if (name === 'hint') {
      element.dataset.tHint = value;
      element.placeholder = t(value);
    } else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Gives an element the text of a key, now and after the language changes.
export function setText(element, key) {
  element.dataset.t = key;
  element.textContent = t(key);
}

// A text that is no key's: it stays when the language changes.
export function setPlain(element, text) {
  delete element.dataset.t;
  element.textContent = text;
}

export function icon(paths) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  for (const d of paths) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

export function timeText(instant) {
  return new Intl.DateTimeFormat(language, {hour: 'numeric', minute: '2-digit'}).format(instant);
}

export function dateText(instant) {
  return new Intl.DateTimeFormat(language, {dateStyle: 'medium', timeStyle: 'short'}).format(instant);
}

export function sizeText(bytes) {
  const units = ['B', 'KB', 'MB', 'GB'];
  let unit = 0;
  let size = bytes;
  for (; size >= 1000 && unit + 1 < units.length; ++unit) size /= 1000;
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${new Intl.NumberFormat(language, {maximumFractionDigits: digits}).format(size)} ${units[unit]}`;
}
