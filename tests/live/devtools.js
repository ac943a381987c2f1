// Runs Chromium for the tests of tests/browser.rs. It uses the DevTools protocol over a pipe, so that it needs only node and
// Chromium.
'use strict';
const { spawn } = require('child_process');

/// Each of them receives every message that is not the reply to a request.
const listeners = new Set();
const waiting = new Map();
let lastId = 0;
let chromium;

const browser = {
  /// What the test does, for the message of a failure.
  doing: 'starting Chromium',

  /// Runs a test in a browser whose profile goes into a folder.
  start(profile, test) {
    chromium = spawn('chromium', [
      '--headless',
      // Chromium does not run as root with its sandbox.
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
      '--remote-debugging-pipe',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--no-proxy-server',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--force-color-profile=srgb',
      // Makes host names that an attacker could own resolve to this machine.
      '--host-resolver-rules=MAP *.test 127.0.0.1',
      // The local server has to reject such requests itself, even if the browser does not have these protections.
      '--disable-features=LocalNetworkAccessChecks,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable',
      'about:blank',
    ], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    setTimeout(() => fail(`timed out while ${browser.doing}`), 120000).unref();
    chromium.on('error', fail);
    process.on('unhandledRejection', fail);
    // Messages end with a zero byte.
    let received = '';
    chromium.stdio[4].setEncoding('utf8').on('data', (data) => {
      const messages = (received + data).split('\0');
      received = messages.pop();
      messages.forEach((message) => receive(JSON.parse(message)));
    });
    test().catch(fail);
  },

  /// Ends this process when Chromium has ended.
  async close() {
    chromium.on('exit', () => process.exit(0));
    await send('Browser.close');
  },
};

function fail(error) {
  console.error(`while ${browser.doing}: ${error.stack || error}`);
  chromium?.kill('SIGKILL');
  process.exit(1);
}

function receive(message) {
  if (message.id === undefined) {
    listeners.forEach((listener) => listener(message));
    return;
  }
  const { resolve, reject } = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.error) reject(new Error(message.error.message));
  else resolve(message.result);
}

function send(method, params = {}, sessionId) {
  const id = ++lastId;
  chromium.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

/// Resolves with the parameters of the first event that matches.
function event(fits) {
  return new Promise((resolve) => {
    const listener = (message) => {
      if (!fits(message)) return;
      listeners.delete(listener);
      resolve(message.params);
    };
    listeners.add(listener);
  });
}

/// Resolves when a tab shows this URL.
const shown = (url) => event(({ method, params }) =>
  (method === 'Target.targetInfoChanged' || method === 'Target.targetCreated')
  && params.targetInfo.type === 'page' && params.targetInfo.url === url);

class Tab {
  static async open() {
    const tab = new Tab();
    tab.target = (await send('Target.createTarget', { url: 'about:blank' })).targetId;
    const attached = await send('Target.attachToTarget', { targetId: tab.target, flatten: true });
    tab.session = attached.sessionId;
    await tab.send('Page.enable');
    await tab.send('Page.setLifecycleEventsEnabled', { enabled: true });
    return tab;
  }

  send(method, params) {
    return send(method, params, this.session);
  }

  /// Navigates to a URL as if the user had typed it, and waits until that page is loaded. A load event of the previous page
  /// may still arrive, so the loader id has to match.
  async type(url) {
    const loaded = new Set();
    let wake = () => {};
    const listener = ({ method, params, sessionId }) => {
      if (method !== 'Page.lifecycleEvent' || sessionId !== this.session) return;
      if (params.name === 'load') loaded.add(params.loaderId);
      wake();
    };
    listeners.add(listener);
    const { loaderId } = await this.send('Page.navigate', { url, transitionType: 'typed' });
    await new Promise((resolve) => {
      wake = () => { if (loaded.has(loaderId)) resolve(); };
      wake();
    });
    listeners.delete(listener);
  }

  /// Runs an async function in the page, as if the user had just clicked there.
  async run(code, ...values) {
    const expression = `(${code})(...${JSON.stringify(values)})`;
    const options = { awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, ...options });
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
    return result.value;
  }

  /// Waits until a function in the page returns something, and returns that.
  until(code, ...values) {
    return this.run(`(...values) => new Promise((resolve, reject) => {
      const check = () => {
        try {
          const value = (${code})(...values);
          if (value) resolve(value);
          else setTimeout(check, 10);
        } catch (error) { reject(error); }
      };
      check();
    })`, ...values);
  }

  async click(x = 50, y = 50) {
    const button = { x, y, button: 'left', clickCount: 1 };
    await this.send('Input.dispatchMouseEvent', { type: 'mousePressed', ...button });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseReleased', ...button });
  }

  /// Presses a key, such as `Tab`.
  async press(key, modifiers = 0) {
    const keys = { Tab: 9, Enter: 13, ' ': 32, ArrowDown: 40, ArrowRight: 39, ArrowUp: 38, ArrowLeft: 37, a: 65 };
    const text = { Enter: '\r', ' ': ' ' }[key];
    const params = { key, code: key, windowsVirtualKeyCode: keys[key], modifiers };
    await this.send('Input.dispatchKeyEvent', { type: text && !modifiers ? 'keyDown' : 'rawKeyDown', ...params, text });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...params });
  }

  close() {
    return send('Target.closeTarget', { targetId: this.target });
  }
}

module.exports = { browser, Tab, event, listeners, send, shown };
