// Functions that every part of the page uses. Text of an event, a response or a log only ever becomes a text node.

export const byId = (id) => document.getElementById(id);

/// Creates an element with properties and children, which are elements or text.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/// Sends a request to the server. If the server rejects it, throws an error with the server's message.
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

/// Indents a text if it is JSON. `JSON.stringify(JSON.parse(text))` would change numbers that JavaScript cannot represent.
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
      // The spaces of a hostile depth would take too much memory.
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

/// The kinds of clients: the label in the list, and what it means.
const clients = {
  page: ['Page', 'this page'],
  invoke: ['Invoke', 'Invoke, of the Invoke API'],
  invokeWithResponseStream: ['Stream', 'InvokeWithResponseStream, of the Invoke API'],
  event: ['Event', 'Invoke of the type Event, or InvokeAsync'],
  retry: ['Retry', 'a retry of an asynchronous invocation'],
  functionUrl: ['URL', 'the function URL'],
  restApi: ['REST API', 'a route of a REST API'],
  httpApi: ['HTTP API', 'a route of an HTTP API'],
  loadBalancer: ['ALB', 'a route of a load balancer'],
};

/// Returns the label of the kind of client, and what it means. A page that stays open may not know each kind of a newer program.
export function kindOf({ client }) {
  const kind = client ?? 'unknown';
  return Object.hasOwn(clients, kind) ? clients[kind] : [kind, kind];
}

export const outcomes = {
  running: ['Running', 'quiet'],
  succeeded: ['Succeeded', 'good'],
  failed: ['Failed', 'bad'],
  timedOut: ['Timed out', 'bad'],
};
