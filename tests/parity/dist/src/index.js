exports.handler = (event, context, callback) => callback(null, __filename.endsWith('dist/src/index.js'));
