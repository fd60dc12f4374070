// browser.mjs: the browser, and the words in which the tests are told.

import fs from 'node:fs';
import path from 'node:path';
import {chromium} from 'playwright-core';

const pictures = process.env.SCREENSHOTS ?? path.join(import.meta.dirname, 'screenshots');
export const password = 'a long phrase to keep';

export function openBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
           '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

// A page of a visitor of their own (a new profile, no cookies); what goes wrong in it is kept in page.faults.
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({locale: 'ja-JP', reducedMotion: 'reduce', timezoneId: 'Asia/Tokyo', viewport: {width: 1200, height: 800}, ...options});
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(error.message));
  page.on('console', (message) => {
    // A refused request is told on the console too; those belong to some of the stories.
    if (message.type() === 'error' && !message.text().includes('Failed to load resource')) page.faults.push(message.text());
  });
  return page;
}

export async function register(page, email) {
  await page.locator('#tab-register').click();
  await page.locator('#email').fill(email);
  await page.locator('#password').fill(password);
  await page.locator('#sign-in-form button[type=submit]').click();
  await page.locator('.account').waitFor();
}

export async function logIn(page, email, with_password = password) {
  await page.locator('#email').fill(email);
  await page.locator('#password').fill(with_password);
  await page.locator('#sign-in-form button[type=submit]').click();
}

export async function logOut(page) {
  await page.locator('.account button').click();
  await page.locator('#email').waitFor();
}

// Waits until a question is answered with yes.
export async function eventually(question) {
  for (let tries = 0; !await question(); ++tries) {
    if (tries === 600) throw new Error(`never: ${question}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function picture(page, name) {
  fs.mkdirSync(pictures, {recursive: true});
  await page.screenshot({path: path.join(pictures, `${name}.png`)});
}
