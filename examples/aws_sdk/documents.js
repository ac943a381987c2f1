// An API that reads, writes, copies and finds documents in S3.
const AWS = require('aws-sdk');

const s3 = new AWS.S3({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });

exports.handler = (event, context, callback) => {
    const { Bucket, Key } = event;
    switch (event.action) {
        case 'write':
            return s3.putObject({ Bucket, Key, Body: JSON.stringify(event.document), ContentType: 'application/json' },
                (err, data) => err ? callback(err) : callback(null, { etag: data.ETag }));
        case 'read':
            return s3.getObject({ Bucket, Key }, (err, data) => {
                if (err && err.code === 'NoSuchKey') return callback(null, { found: false });
                if (err) return callback(err);
                callback(null, { found: true, text: data.Body.toString('utf8') });
            });
        case 'exists':
            return s3.headObject({ Bucket, Key }, (err, data) => {
                if (err && err.statusCode === 404) return callback(null, { exists: false });
                if (err) return callback(err);
                callback(null, { exists: true, type: data.ContentType, length: data.ContentLength });
            });
        case 'copy':
            return s3.getObject({ Bucket, Key }, (err, data) => {
                if (err) return callback(`cannot read ${Key}: ${err}`);
                s3.putObject({ Bucket, Key: event.to, Body: data.Body, ContentType: data.ContentType }, (err) => {
                    if (err) return callback(`cannot write ${event.to}: ${err}`);
                    callback(null, { copied: data.ContentLength });
                });
            });
        default:
            s3.listObjectsV2({ Bucket, Prefix: event.prefix }, (err, data) => {
                if (err) return callback(Object.assign(new Error(err.message), { name: `List${err.code}` }));
                callback(null, data.Contents.map((object) => object.Key));
            });
    }
};
