// Inspects each new image in an S3 bucket, with retries, and records it.
const ATTEMPTS = 3;
const objects = {
    'cat.jpg': { size: 2048, type: 'image/jpeg' },
    'summer 2024/lake & hills.png': { size: 4096, type: 'image/png', busy: 2 },
    'notes.txt': { size: 10, type: 'text/plain' },
    'busy.jpg': { size: 1, type: 'image/jpeg', busy: 9 },
};
const named = (name, message) => Object.assign(new Error(message), { name });

const head = (key, attempt) => new Promise((resolve, reject) => setTimeout(() => {
    const object = objects[key];
    if (!object) reject(named('NoSuchKey', `The specified key does not exist: ${key}`));
    else if (attempt <= (object.busy || 0)) reject(named('SlowDown', 'Please reduce your request rate.'));
    else resolve(object);
}, 1));

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const retrying = (key, attempt = 1) => head(key, attempt)
    .then((object) => ({ object, attempts: attempt }))
    .catch((err) => {
        if (err.name !== 'SlowDown') throw err;
        if (attempt === ATTEMPTS) throw named('GaveUp', `${key}: ${err} (after ${attempt} attempts)`);
        return wait(2 ** attempt).then(() => retrying(key, attempt + 1));
    });

exports.handler = (event, context, callback) => {
    const keys = event.Records
        .filter((record) => record.eventName.startsWith('ObjectCreated:'))
        .map((record) => decodeURIComponent(record.s3.object.key.replace(/\+/g, ' ')));
    Promise.all(keys.map((key) => retrying(key).then(({ object, attempts }) =>
        object.type.startsWith('image/')
            ? { key, size: object.size, attempts }
            : { key, ignored: object.type })))
        .then((images) => callback(null, {
            images,
            bytes: images.reduce((sum, image) => sum + (image.size || 0), 0),
        }))
        .catch(callback)
        .finally(() => { context.done(null, 'never heard'); });
};
