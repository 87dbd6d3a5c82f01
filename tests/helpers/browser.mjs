// Drives headless Chromium by JSON lines: a command on stdin, its answer on stdout.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const TIMEOUT_MS = 30_000;
const POLL_MS = 20;
const REFUSED_REQUEST = /^Failed to load resource/; // which the page is told of as well

const browser = await chromium.launch({ executablePath: process.argv[2], args: FLAGS });
const pages = new Map();
const complaints = new Map();

/** What can be read on a page. */
const said = (page) => pages.get(page).evaluate("location.href + '\\n' + document.body.innerText");

const commands = {
  async open({ page, url, storage }) {
    const context = await browser.newContext();
    await context.addInitScript((items) => {
      for (const [key, value] of Object.entries(items)) localStorage.setItem(key, value);
    }, storage);
    const opened = await context.newPage();
    pages.set(page, opened);
    complaints.set(page, []);
    const complain = (text) => REFUSED_REQUEST.test(text) || complaints.get(page).push(text);
    opened.on("console", (said) => ["error", "warning"].includes(said.type()) && complain(said.text()));
    opened.on("pageerror", (error) => complain(String(error.stack ?? error)));
    await opened.goto(url);
  },
  evaluate: ({ page, script }) => pages.get(page).evaluate(script),
  async wait({ page, script }) {
    // Asked from outside: a page whose policy forbids eval cannot ask itself.
    const end = Date.now() + TIMEOUT_MS;
    while (!(await pages.get(page).evaluate(script))) {
      if (Date.now() > end) throw new Error(`not within ${TIMEOUT_MS} ms: ${script}\n${await said(page)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  },
  async type({ page, field, text }) {
    const input = pages.get(page).getByLabel(field, { exact: true });
    await input.fill(text);
    await input.press("Enter");
  },
  click: ({ page, role, name }) => pages.get(page).getByRole(role, { name, exact: true }).last().click(),
  key: ({ page, key }) => pages.get(page).keyboard.press(key),
  reload: async ({ page }) => void (await pages.get(page).reload()),
  complaints: ({ page }) => complaints.get(page).splice(0),
  async view({ page, width, height, dark }) {
    await pages.get(page).setViewportSize({ width, height });
    // What moves is looked at where it ends.
    const media = { colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" };
    await pages.get(page).emulateMedia(media);
  },
  async close({ page }) {
    await pages.get(page).context().close();
    pages.delete(page);
  },
  async keys({ page, field, keys }) {
    const input = pages.get(page).getByLabel(field, { exact: true });
    await input.focus();
    const { keyboard } = pages.get(page);
    for (const key of keys) await ([...key].length > 1 ? keyboard.press(key) : keyboard.type(key));
  },
  async shot({ page, path, width, height, dark }) {
    await commands.view({ page, width, height, dark });
    await pages.get(page).screenshot({ path });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    answer = { value: await commands[command.op](command) };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
await browser.close();
