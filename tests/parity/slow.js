// Takes as long to load as a function may take for an event.
const end = Date.now() + 2900;
while (Date.now() < end);
exports.handler = (event, context, callback) => setTimeout(() => callback(null, 'in time'), 500);
