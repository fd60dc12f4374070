// The two fronts in a real browser, on the real system.

import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {eventually, logIn, logOut, openBrowser, password, picture, register, visitor} from './browser.mjs';
import {System} from './system.mjs';

let system;
let browser;
let count = 0;
const newEmail = () => `visitor${++count}@example.com`;

before(async () => {
  system = await System.start();
  system.environment.AUTH_SERVICE_SEED_PASSWORD = password;
  for (const service of ['auth', 'user', 'admin']) system.command(service, 'seed');
  browser = await openBrowser();
}, {timeout: 120_000});

after(async () => {
  await browser?.close();
  system?.end();
});

const shown = (page, text) => page.getByText(text).first().waitFor();

test('somebody registers, edits the profile, logs out and finds it again', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await page.locator('#email').waitFor();
  await picture(page, 'user-welcome');
  const email = newEmail();
  await register(page, email);
  await page.locator('#display-name').fill('田中 美咲');
  await page.locator('#organisation').fill('営業企画部');
  await page.locator('#bio').fill('提案資料をまとめています。');
  await page.locator('form button[type=submit]').click();
  await shown(page, '保存しました。');
  await picture(page, 'user-profile');
  await logOut(page);
  await shown(page, 'ログアウトしました。');

  await logIn(page, email);
  await eventually(async () => await page.locator('#display-name').inputValue() === '田中 美咲');
  assert.deepEqual(page.faults, []);
});

test('an administrator sees the documents of all, by name', async () => {
  const page = await visitor(browser);
  await page.goto(system.adminFront);
  await logIn(page, 'tech-lead@example.com');
  await shown(page, 'release-notes-1.4.md');
  await page.locator('td.owner').getByText('鈴木 遥').first().waitFor();
  await picture(page, 'admin-documents');
  await page.emulateMedia({colorScheme: 'dark'});
  await page.getByRole('button', {name: 'English'}).click();
  await shown(page, 'You are an administrator');
  await picture(page, 'admin-documents-dark');
  await page.setViewportSize({width: 390, height: 844});
  await page.emulateMedia({colorScheme: 'light'});
  await picture(page, 'admin-documents-narrow');
});

test('a session survives a reload, and no script can read what keeps it', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  const email = newEmail();
  await register(page, email);
  await page.reload();
  await page.locator('.account').waitFor();
  assert.equal(await page.locator('.who').textContent(), email);
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.deepEqual(await page.evaluate(() => Object.keys({...localStorage, ...sessionStorage})), ['language']);
  const [cookie] = await page.context().cookies(`${system.environment.FRONT_USER_AUTH_URL}/auth/refresh`);
  assert.equal(cookie.httpOnly, true);
  assert.equal(cookie.sameSite, 'Strict');
});

test('a document is uploaded, read, downloaded and deleted', async () => {
  const page = await visitor(browser);
  await page.goto(system.adminFront);
  await register(page, newEmail());
  await shown(page, 'まだ文書がありません');
  await page.locator('#files').setInputFiles({name: '復旧手順書.md', mimeType: 'text/markdown', buffer: Buffer.from('# 復旧手順\n\n1. 確認する\n')});
  await shown(page, '「復旧手順書.md」を預かりました。');
  await page.getByRole('button', {name: '「復旧手順書.md」を読む'}).click();
  assert.equal(await page.locator('dialog pre').textContent(), '# 復旧手順\n\n1. 確認する\n');
  await picture(page, 'admin-reader');
  await page.keyboard.press('Escape');

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', {name: '「復旧手順書.md」をダウンロード'}).click()]);
  assert.equal(download.suggestedFilename(), '復旧手順書.md');

  await page.getByRole('button', {name: '「復旧手順書.md」を削除'}).click();
  await page.locator('dialog .danger').click();
  await shown(page, 'まだ文書がありません');
  await logOut(page);
  assert.deepEqual(page.faults, []);
});

test('what somebody uploads never acts in the name of the page', async () => {
  const page = await visitor(browser);
  await page.goto(system.adminFront);
  await register(page, newEmail());
  const name = '<img src=x onerror=alert(1)>.html';
  await page.locator('#files').setInputFiles({name, mimeType: 'text/html', buffer: Buffer.from('<script>document.title="taken"</script>')});
  await page.locator('td.name').getByText(name).waitFor();
  await page.locator('td.name button').click();
  await shown(page, 'この種類は画面に表示できません');
  assert.equal(await page.title(), '文書管理 | ai-micro');
  assert.deepEqual(page.faults, []);
});

test('one log-in serves both fronts', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  const email = newEmail();
  await register(page, email);
  await page.goto(system.adminFront);
  await page.locator('.account').waitFor();
  assert.equal(await page.locator('.who').textContent(), email);
});

test('pages of both fronts that wake up together stay signed in', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await register(page, newEmail());
  const others = await Promise.all([system.userFront, system.adminFront, system.userFront].map(async (url) => {
    const other = await page.context().newPage();
    await other.goto(url);
    return other;
  }));
  for (const other of others) await other.locator('.account').waitFor();
});

test('a wrong password is said, and the field has the focus', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await logIn(page, 'nobody@example.com', 'not the right phrase');
  await page.getByRole('alert').getByText('メールアドレスまたはパスワードが違います。').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'password');
  await page.locator('#tab-register').click();
  await page.locator('#email').fill('short@example.com');
  await page.locator('#password').fill('short');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('10 文字以上').waitFor();
});

test('the language is chosen, set on the document and remembered', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await page.locator('#email').waitFor();
  assert.equal(await page.getAttribute('html', 'lang'), 'ja');
  await page.locator('#email').fill('half-typed@example.com');
  await page.getByRole('button', {name: 'English'}).click();
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  assert.equal(await page.locator('#email').inputValue(), 'half-typed@example.com');
  await page.reload();
  await page.getByRole('button', {name: 'Log in'}).waitFor();
  assert.equal(await page.title(), 'My page | ai-micro');
});

test('everything can be done with the keyboard alone', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await page.locator('#email').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.locator('#tab-login').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-register');
  await page.keyboard.press('Tab');
  await page.keyboard.type(newEmail());
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await page.locator('#display-name').waitFor();
});

test('each field has its label, each picture its word', async () => {
  for (const front of [system.userFront, system.adminFront]) {
    const page = await visitor(browser);
    await page.goto(front);
    await register(page, newEmail());
    const nameless = await page.evaluate(() => [...document.querySelectorAll('input, select, textarea, button, img')]
      .filter((element) => !(element.labels?.length || element.textContent.trim() || element.getAttribute('aria-label') || element.hasAttribute('alt')))
      .map((element) => element.outerHTML));
    assert.deepEqual(nameless, []);
  }
});

test('with auth stopped the session goes on, and the page says so calmly', async () => {
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await register(page, newEmail());
  await page.locator('#display-name').fill('鈴木 遥');
  await page.locator('#organisation').fill('インフラ運用課');
  await page.locator('#bio').fill('インフラ担当。週次でバックアップを確認します。');
  const stranger = await visitor(browser);
  await system.stop('auth-service');
  try {
    await shown(page, 'このままお使いいただけます');
    await page.locator('form button[type=submit]').click();
    await shown(page, '保存しました。');
    await page.evaluate(() => scrollTo(0, 0));
    await picture(page, 'user-auth-away');
    await page.getByRole('button', {name: 'English'}).click();
    await shown(page, 'You can go on working');

    await stranger.goto(system.adminFront);
    await shown(stranger, 'ただいまログインできません');
    await picture(stranger, 'admin-auth-away');
  } finally {
    system.startAll();
  }
  await page.locator('.notice').waitFor({state: 'hidden'});
  await stranger.locator('.notice').waitFor({state: 'hidden'});
  await logIn(stranger, 'tech-lead@example.com');
  await stranger.locator('.account').waitFor();
  assert.deepEqual(page.faults, []);
});

test('a session that ran out while auth was away resumes by itself, with what was typed', async () => {
  await system.stop('auth-service');
  system.startAll({AUTH_SERVICE_TOKEN_ACCESS_TIME: '4s'});
  const page = await visitor(browser);
  await page.goto(system.userFront);
  await register(page, newEmail());
  await page.locator('#bio').fill('途中まで書いた文章');
  await system.stop('auth-service');
  try {
    await shown(page, 'ログインの期限が切れました');
    assert.equal(await page.locator('form button[type=submit]').isDisabled(), true);
  } finally {
    system.startAll();
  }
  await page.locator('.notice').waitFor({state: 'hidden'});
  assert.equal(await page.locator('#bio').inputValue(), '途中まで書いた文章');
  await page.locator('#display-name').fill('伊藤 翔');
  await page.locator('form button[type=submit]').click();
  await shown(page, '保存しました。');
});
