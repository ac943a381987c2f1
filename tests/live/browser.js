// Makes Chromium send requests to a local server, for tests/browser.rs: `node browser.js PORT FOLDER`. The server listens on
// PORT of 127.0.0.1, and FOLDER is for Chromium's profile. Each request has a separate path, which names the kind of page that
// caused it (`/own/..`, `/same-site/..`, `/cross-site/..`, `/rebound/..`) and the means. Prints a JSON object with what the
// page saw for each path.
'use strict';
const http = require('http');
const { browser, Tab, listeners, send, shown } = require('./devtools.js');

const port = Number(process.argv[2]);
const server = `http://localhost:${port}`;

/// The ways to send a request without leaving the page. Each resolves to what the page saw.
const within = {
  image: element('img', 'src'),
  'image-without-referrer': element('img', 'src', { referrerPolicy: 'no-referrer' }),
  script: element('script', 'src'),
  style: element('link', 'href', { rel: 'stylesheet' }),
  frame: element('iframe', 'src'),
  'sandboxed-frame': element('iframe', 'src', { sandbox: '' }),
  fetch: fetched({}),
  'fetch-without-cors': fetched({ mode: 'no-cors' }),
  'fetch-without-cors-or-referrer': fetched({ mode: 'no-cors', referrerPolicy: 'no-referrer' }),
  'post-simple': fetched({ method: 'POST', body: '{}' }),
  'post-without-cors': fetched({ method: 'POST', mode: 'no-cors', body: '{}' }),
  'post-kept-alive': fetched({ method: 'POST', mode: 'no-cors', body: '{}', keepalive: true }),
  'post-json-with-preflight':
    fetched({ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
  'delete-with-preflight': fetched({ method: 'DELETE' }),
  'fetch-with-cookies': fetched({ mode: 'no-cors', credentials: 'include' }),
  'form-get': form('get'),
  'form-post': form('post'),
  'web-socket': `(url) => new Promise((resolve) => {
    const socket = new WebSocket(url.replace('http:', 'ws:'));
    socket.onopen = socket.onclose = (event) => resolve(event.type);
  })`,
  'event-source': `(url) => new Promise((resolve) => {
    const source = new EventSource(url);
    source.onopen = source.onerror = (event) => { source.close(); resolve(event.type); };
  })`,
};

function element(tag, attribute, more = {}) {
  return `(url) => new Promise((resolve) => {
    const element = Object.assign(document.createElement('${tag}'), ${JSON.stringify(more)});
    element.onload = element.onerror = (event) => resolve(event.type);
    element['${attribute}'] = url;
    document.body.append(element);
  })`;
}

function fetched(options) {
  return `(url) => fetch(url, ${JSON.stringify(options)})
    .then((response) => response.status || response.type, (error) => error.message)`;
}

/// Submits the form into a frame, so that the page is not left.
function form(method) {
  return `(url) => new Promise((resolve) => {
    const frame = Object.assign(document.createElement('iframe'), { name: 'frame' + Math.random() });
    document.body.append(frame);
    frame.onload = (event) => resolve(event.type);
    const form = Object.assign(document.createElement('form'),
      { method: '${method}', action: url, target: frame.name });
    document.body.append(form);
    form.submit();
  })`;
}

/// The ways to send a request that leave the page or open another tab.
const leaving = {
  link: async (tab, url) => {
    await tab.run(`(url) => {
      const link = Object.assign(document.createElement('a'), { href: url });
      link.style = 'position: fixed; inset: 0';
      document.body.append(link);
    }`, url);
    await tab.click();
  },
  'link-without-referrer': async (tab, url) => {
    await tab.run(`(url) => {
      const link = Object.assign(document.createElement('a'), { href: url, rel: 'noreferrer' });
      link.style = 'position: fixed; inset: 0';
      document.body.append(link);
    }`, url);
    await tab.click();
  },
  'navigation-by-script': (tab, url) => tab.run('(url) => { location = url; }', url),
  'new-window': (tab, url) => tab.run('(url) => { open(url); }', url),
  refresh: (tab, url) => tab.run(`(url) => {
    const content = '0; url=' + url;
    document.head.append(Object.assign(document.createElement('meta'), { httpEquiv: 'refresh', content }));
  }`, url),
  'form-post-of-the-tab': (tab, url) => tab.run(`(url) => {
    const form = Object.assign(document.createElement('form'), { method: 'post', action: url });
    document.body.append(form);
    form.submit();
  }`, url),
};

const saw = {};

/// Tries each way to send a request to `target` from the page at `home`.
async function tryAll(name, home, target) {
  const tab = await Tab.open();
  browser.doing = `opening ${home}`;
  await tab.type(home);
  for (const [how, code] of Object.entries(within)) {
    browser.doing = `trying /${name}/${how}`;
    saw[`/${name}/${how}`] = await tab.run(code, `${target}/${name}/${how}`);
  }
  for (const [how, leave] of Object.entries(leaving)) {
    browser.doing = `trying /${name}/${how}`;
    await tab.type(home);
    const url = `${target}/${name}/${how}`;
    const arrived = shown(url);
    await leave(tab, url);
    await arrived;
    saw[`/${name}/${how}`] = 'shown';
  }
  await tab.close();
}

async function main() {
  // The foreign page, on another port.
  const pages = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://pages');
    if (pathname === '/redirect') {
      response.writeHead(302, { location: searchParams.get('to') }).end();
    } else {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>A page');
    }
  });
  await new Promise((resolve) => { pages.listen(0, '127.0.0.1', resolve); });
  const foreign = pages.address().port;
  await send('Target.setDiscoverTargets', { discover: true });

  await tryAll('own', `${server}/page`, server);
  await tryAll('same-site', `http://localhost:${foreign}/`, server);
  await tryAll('cross-site', `http://evil.test:${foreign}/`, server);
  // An image on the server's own page that another server redirects back.
  const tab = await Tab.open();
  browser.doing = 'trying redirects';
  const redirect = (to) => `http://evil.test:${foreign}/redirect?to=${encodeURIComponent(server + to)}`;
  await tab.type(`${server}/page`);
  saw['/cross-site/redirect'] = await tab.run(within.image, redirect('/cross-site/redirect'));
  // No server can distinguish this request from one for a URL that the user typed.
  await tab.type(redirect('/typed/redirect'));
  saw['/typed/redirect'] = 'shown';

  // A page whose host name resolves to this machine when it sends its requests (DNS rebinding).
  const rebound = `http://rebound.test:${port}`;
  browser.doing = 'opening the rebound page';
  const attacker = await Tab.open();
  await attacker.send('Fetch.enable', { patterns: [{ urlPattern: `${rebound}/page` }] });
  listeners.add(({ method, params, sessionId }) => {
    if (method !== 'Fetch.requestPaused' || sessionId !== attacker.session) return;
    const responseHeaders = [{ name: 'content-type', value: 'text/html' }];
    const body = Buffer.from('<!doctype html><p>A page').toString('base64');
    const { requestId } = params;
    attacker.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body });
  });
  await attacker.type(`${rebound}/page`);
  for (const [how, code] of Object.entries(within)) {
    browser.doing = `trying /rebound/${how}`;
    saw[`/rebound/${how}`] = await attacker.run(code, `${rebound}/rebound/${how}`);
  }
  console.log(JSON.stringify(saw));
  await browser.close();
}

browser.start(process.argv[3], main);
