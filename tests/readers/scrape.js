// Prints what a URL answers with gzip.
const http = require('http');
const zlib = require('zlib');

http.get(process.argv[2], { headers: { 'Accept-Encoding': 'gzip' } }, (answer) => {
  if (answer.headers['content-encoding'] !== 'gzip') {
    throw new Error('the answer was not compressed');
  }
  answer.pipe(zlib.createGunzip()).pipe(process.stdout);
});
