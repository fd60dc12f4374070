// app.js: the admin front: the list of documents, upload, reading, download, deletion.

import {currentLanguage, dateText, h, icon, sizeText, t} from './dom.js';
import {run} from './frame.js';
import {confirmRemoval, download, read} from './reader.js';
import {call, config, session} from './session.js';
import {texts} from './texts-admin.js';

const ARROW_UP = ['M12 16V4', 'M7 9l5-5 5 5', 'M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3'];
const ARROW_DOWN = ['M12 4v12', 'M7 11l5 5 5-5', 'M4 20h16'];
const BIN = ['M5 7h14', 'M9 7V4h6v3', 'M7 7l1 13h8l1-13'];

const limitBytes = () => config().uploadMaxMib * 1024 * 1024;
const limitText = () => `${config().uploadMaxMib} MiB`;

// Names of owners, asked for once each; only the role admin may ask.
const names = new Map();
async function nameOf(owner) {
  if (!names.has(owner))
    names.set(owner, call('user', `/api/profiles/${owner}`).then((response) => response.json())
      .then((profile) => profile.displayName).catch(() => ''));
  return names.get(owner);
}

function ownerCell(document_) {
  const cell = h('td', {class: 'owner'});
  cell.dataset.owner = document_.owner;
  if (document_.owner === session.user.id) cell.append(h('span', {t: 'you'}));
  else {
    cell.textContent = document_.owner.slice(0, 8);
    nameOf(document_.owner).then((name) => { if (name) cell.textContent = name; });
  }
  return cell;
}

function documentsView() {
  const said = h('p', {class: 'said', role: 'status'});
  const scope = h('p', {class: 'help'});
  const input = h('input', {type: 'file', multiple: true, id: 'files', class: 'unseen'});
  const limit = h('span', {class: 'help'});
  const drop = h('div', {class: 'drop'}, icon(ARROW_UP),
    h('p', {}, h('span', {t: 'drop'}), h('label', {for: 'files', class: 'link', t: 'choose'})), limit, input);
  const rows = h('tbody', {});
  const head = h('tr', {}, ...['name', 'kind', 'size', 'owner', 'created', 'actions'].map((key) =>
    h('th', {scope: 'col', class: key}, h('span', {t: key}))));
  const table = h('table', {class: 'documents'}, h('thead', {}, head), rows);
  const none = h('p', {class: 'none', t: 'none', hidden: true});
  const more = h('button', {type: 'button', class: 'quiet', t: 'more', hidden: true, onclick: () => load(next)});
  const reload = h('button', {type: 'button', class: 'quiet', t: 'refresh', onclick: () => load('')});
  const view = h('div', {class: 'card documents-card'},
    h('div', {class: 'heading'}, h('div', {}, h('h1', {t: 'documents'}), scope), reload),
    drop, said, table, none, h('div', {class: 'actions'}, more));
  let next = '';
  let documents = [];
  let loadFailed = false;
  let shownBefore = [];

  input.addEventListener('change', async () => { await uploadAll([...input.files]); input.value = ''; });
  for (const name of ['dragenter', 'dragover'])
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add('over'); });
  for (const name of ['dragleave', 'drop'])
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove('over'); });
  drop.addEventListener('drop', (event) => uploadAll([...event.dataTransfer.files]));
  view.update = update;
  load('');
  return view;

  function update() {
    scope.textContent = t(session.user?.roles.includes('admin') ? 'all_documents' : 'own_documents');
    limit.textContent = t('limit', {size: limitText()});
    input.disabled = session.status !== 'in';
    // Rows are made anew only when they say something else: whoever stands on one with the keyboard keeps the place.
    const shownNow = [documents, currentLanguage()];
    if (shownNow.some((part, i) => part !== shownBefore[i])) rows.replaceChildren(...documents.map(rowOf));
    shownBefore = shownNow;
    none.hidden = documents.length > 0 || loadFailed;
    table.hidden = documents.length === 0;
  }

  function say(text, bad = false) {
    said.classList.toggle('bad', bad);
    said.textContent = text;
  }

  async function load(after) {
    try {
      const page = await (await call('admin', `/api/documents?limit=50${after ? `&after=${after}` : ''}`)).json();
      documents = after ? [...documents, ...page.documents] : page.documents;
      next = page.next ?? '';
      more.hidden = !next;
      if (loadFailed) say('');
      loadFailed = false;
    } catch {
      loadFailed = true;
      say(t('not_loaded'), true);
    }
    update();
  }

  function rowOf(document_) {
    const button = (key, paths, kind, action) =>
      h('button', {type: 'button', class: `round ${kind}`, 'aria-label': t(`${key}_one`, {name: document_.name}),
                   title: t(key), onclick: action}, icon(paths));
    return h('tr', {},
      h('td', {class: 'name'}, h('button', {type: 'button', class: 'link', onclick: () => read(document_),
                                            'aria-label': t('read_one', {name: document_.name})}, document_.name)),
      h('td', {class: 'kind'}, document_.mediaType),
      h('td', {class: 'size'}, sizeText(document_.size)),
      ownerCell(document_),
      h('td', {class: 'created'}, dateText(new Date(document_.createdAt))),
      h('td', {class: 'actions'}, button('download', ARROW_DOWN, '', () => getFile(document_)),
        button('remove', BIN, 'danger', () => remove(document_))));
  }

  async function getFile(document_) {
    try {
      await download(document_);
    } catch (problem) {
      say(t(problem.status === 500 ? 'damaged' : 'not_read'), true);
    }
  }

  async function uploadAll(files) {
    for (const file of files) await upload(file);
    await load('');
  }

  async function upload(file) {
    const name = file.name;
    if (file.size > limitBytes()) return say(t('too_large', {name, size: limitText()}), true);
    say(t('uploading', {name}));
    try {
      await call('admin', `/api/documents?name=${encodeURIComponent(name)}`, {
        method: 'POST', body: file, headers: {'Content-Type': file.type || 'application/octet-stream'},
        signal: AbortSignal.timeout(120_000),
      });
      say(t('uploaded', {name}));
    } catch (problem) {
      const key = problem.status === 413 ? 'too_large' : problem.status === 507 ? 'disk_full' : 'not_uploaded';
      say(t(key, {name, size: limitText()}), true);
    }
  }

  async function remove(document_) {
    if (!await confirmRemoval(document_)) return;
    try {
      await call('admin', `/api/documents/${document_.id}`, {method: 'DELETE'});
      say(t('removed', {name: document_.name}));
    } catch (problem) {
      say(t(problem.status === 0 || problem.status >= 500 ? 'service_away' : 'failed'), true);
    }
    await load('');
  }
}

run({texts, view: documentsView});
