// Starts the page: reads the properties of the program, and receives its invocations.

import { byId, json } from './dom.js';
import { Form } from './form.js';
import { List } from './list.js';
import { Opened } from './opened.js';

const opened = new Opened({ edit: (event, context) => form.edit(event, context), follow: (n) => follow(n) });
const list = new List({ open: (n) => opened.open(n) });
const form = new Form({ follow: (n) => follow(n), recent: () => list.recent() });

/// Opens an invocation that was started here.
function follow(n) {
  list.select(n);
  return opened.open(n);
}

async function start() {
  const program = await json('program');
  document.title = `${program.name}: local server`;
  byId('program').textContent = program.name;
  opened.program = program;
  form.show(program);
}

function connect() {
  const source = new EventSource('api/invocations');
  const connection = byId('connection');
  source.onerror = () => {
    connection.textContent = 'Not connected. Trying again';
    // The browser reconnects by itself, except after an error status.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
  };
  const receive = (isAll) => ({ data }) => {
    const changes = JSON.parse(data);
    if (isAll) {
      // The program may have been restarted.
      list.clear();
      start().catch(({ message }) => { connection.textContent = message; });
    }
    connection.textContent = 'Connected';
    list.update(changes);
    for (const summary of changes.invocations) opened.changed(summary);
    if (isAll) opened.restarted(changes.invocations);
  };
  source.addEventListener('all', receive(true));
  source.addEventListener('changed', receive(false));
}

connect();
