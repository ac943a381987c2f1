// What every part of the page uses. A text of an event, of a response or of a log only ever becomes a text.

export const byId = (id) => document.getElementById(id);

/// An element with properties, and with texts and elements within.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/// Requests something of the server. The message of a refusal is the error.
export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(`api/${path}`, options);
  } catch {
    throw new Error('The server cannot be reached.');
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const error = new Error(body.message || `The server responded with the status ${response.status}.`);
  error.status = response.status;
  throw error;
}

export const json = async (path, options) => (await request(path, options)).json();
export const text = async (path, options) => (await request(path, options)).text();

/// JSON with indentation, where a text is JSON. Numbers keep their digits, which `JSON.parse` would not do.
export function pretty(source) {
  let made = '';
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  try {
    JSON.parse(source);
  } catch {
    return source;
  }
  for (const [token] of source.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === '{' || token === '[') {
      depth += 1;
      // A hostile depth is not worth its spaces.
      if (depth > 100) return source;
      made += token + line();
    } else if (token === '}' || token === ']') {
      depth -= 1;
      made += line() + token;
    } else if (token === ',') made += token + line();
    else if (token === ':') made += ': ';
    else made += token.length < 9 ? token.replace(/^([{[])\s+/, '$1') : token;
  }
  return made;
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KB`;
  return `${(count / 1024 / 1024).toFixed(1)} MB`;
}

export const outcomes = {
  running: ['Running', 'quiet'],
  succeeded: ['Succeeded', 'good'],
  failed: ['Failed', 'bad'],
  timedOut: ['Timed out', 'bad'],
};
