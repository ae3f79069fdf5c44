/* Takes the screenshots of the documentation: every page wide, dark and on a phone, and GraphiQL.
   Requires the data of tests/browser/shop_data.py, and an admin. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { enter, eventually } from './page.mjs';
import { everyAddress, openAddress, rejectLayoutFaults } from './everyPage.mjs';

export const options = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5, locale: 'en-US' };

const LOOKS = [
  { name: 'wide', width: 1280, least: 800, most: 1100, colorScheme: 'light' },
  { name: 'dark', width: 1280, least: 800, most: 1100, colorScheme: 'dark' },
  { name: 'phone', width: 390, least: 844, most: 844, colorScheme: 'light' },
];
const QUALITY = 80;

const SUBSCRIPTION = `subscription Watch {
  jobsChanged(snapshot: true, first: 1) {
    kind
    event { from state at }
    job {
      functionName
      args
      state
    }
  }
}
`;

/** As WebP, which Playwright does not write. */
async function save(page, path) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  await writeFile(path, Buffer.from(data, 'base64'));
  await session.detach();
}

/** Make the window as high as its page, within limits. */
async function fit(page, { width, least, most }) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.min(Math.max(height, least), most) });
}

async function takeGraphiql(page, given) {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize(options.viewport);
  await page.goto('about:blank');
  await enter(page, given, `/graphiql?query=${encodeURIComponent(SUBSCRIPTION)}`);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await page.getByRole('button', { name: /^Execute/ }).click();
  const response = page.locator('.graphiql-response');
  await eventually('the subscription has started', async () => /"READY"/.test(await response.innerText()));
  await given.request('add a job');
  await eventually('its change', async () => /"CHANGED"/.test(await response.innerText()));
  await save(page, join(given.pictures, 'graphiql.webp'));
}

export default async function scenario(page, given) {
  for (const look of LOOKS) {
    await page.emulateMedia({ colorScheme: look.colorScheme, reducedMotion: 'reduce' });
    for (const address of everyAddress(given.examples)) {
      await page.setViewportSize({ width: look.width, height: look.least });
      await openAddress(page, given, address);
      await rejectLayoutFaults(page, address);
      await fit(page, look);
      const [name, id] = address.split('/');
      await save(page, join(given.pictures, `${id ? name.replace(/s$/, '') : name}-${look.name}.webp`));
    }
  }
  await takeGraphiql(page, given);
}
