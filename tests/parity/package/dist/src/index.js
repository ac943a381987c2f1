// Deployed as a package whose handler setting is `dist/src/index.api.read`.
const fs = require('fs');
exports.api = {
    read: (event, context, callback) => {
        const { greeting } = JSON.parse(fs.readFileSync('./config.json'));
        const root = process.env.LAMBDA_TASK_ROOT;
        callback(null, { greeting, inRoot: root === process.cwd(), setting: process.env._HANDLER });
    },
};
