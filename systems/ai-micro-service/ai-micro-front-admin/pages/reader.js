// reader.js: shows a document in a dialog. Only what cannot act is shown: text as text, pictures as pictures.

import {h, sizeText, t} from './dom.js';
import {call} from './session.js';

const PREVIEW_MAX = 2_000_000;
const TEXTS = /^(text\/(plain|markdown|csv)|application\/json)$/;
const PICTURES = /^image\/(png|jpeg|gif|webp|avif)$/;

export async function fetchBytes(document_) {
  const response = await call('admin', `/api/documents/${document_.id}/content`);
  // The type is ours, not the document's: a blob of it must never run in this page's name.
  return response.arrayBuffer();
}

// Hands the document to the browser as a file.
export async function download(document_) {
  const url = URL.createObjectURL(new Blob([await fetchBytes(document_)], {type: 'application/octet-stream'}));
  const link = h('a', {href: url, download: document_.name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function content(document_) {
  const text = TEXTS.test(document_.mediaType);
  const picture = PICTURES.test(document_.mediaType);
  if ((!text && !picture) || document_.size > PREVIEW_MAX) return h('p', {class: 'help', t: 'no_preview'});
  const bytes = await fetchBytes(document_);
  if (text) return h('pre', {class: 'text', tabindex: '0'}, new TextDecoder().decode(bytes));
  const url = URL.createObjectURL(new Blob([bytes], {type: document_.mediaType}));
  const image = h('img', {src: url, alt: document_.name, class: 'picture'});
  image.addEventListener('load', () => URL.revokeObjectURL(url));
  return image;
}

export async function read(document_) {
  const place = h('div', {class: 'page'}, h('p', {class: 'help', t: 'starting'}));
  const title = h('h2', {id: 'reader-title'}, document_.name);
  const dialog = h('dialog', {class: 'reader', 'aria-labelledby': 'reader-title'},
    h('div', {class: 'reader-head'}, title,
      h('div', {class: 'buttons'},
        h('button', {type: 'button', class: 'quiet', t: 'download', onclick: () => download(document_)}),
        h('button', {type: 'button', class: 'quiet', t: 'close', onclick: () => dialog.close()}))),
    place,
    h('p', {class: 'help facts'}, `${document_.mediaType} · ${sizeText(document_.size)} · ${t('fingerprint')} ${document_.sha256.slice(0, 16)}…`));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  try {
    place.replaceChildren(await content(document_));
  } catch (problem) {
    place.replaceChildren(h('p', {class: 'fault', role: 'alert', t: problem.status === 500 ? 'damaged' : 'not_read'}));
  }
}

// Asks before something goes for good. True: do it.
export function confirmRemoval(document_) {
  return new Promise((resolve) => {
    const keep = h('button', {type: 'button', class: 'quiet', t: 'keep', onclick: () => dialog.close('')});
    const dialog = h('dialog', {class: 'ask', 'aria-labelledby': 'ask-text'},
      h('p', {id: 'ask-text'}, t('really_remove', {name: document_.name})),
      h('div', {class: 'buttons'}, keep,
        h('button', {type: 'button', class: 'danger', t: 'remove', onclick: () => dialog.close('yes')})));
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
    keep.focus();
  });
}
