// ONNX Runtime as a peer in `make bench-peers`.
//
//   node onnxruntime.js MODEL.onnx BATCH THREADS X.npy Y.npy
//
// Prints "ready DIFF" (the largest difference from Y, relative to Y's largest), then for each line K
// on standard input the seconds of K passes.
'use strict';
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

// A .npy file of float32, version 1.
function readNpy(path) {
  const bytes = fs.readFileSync(path);
  const start = 10 + bytes.readUInt16LE(8);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
}

function difference(got, expected) {
  let worst = 0, largest = 0;
  got.forEach((value, i) => {
    const want = expected[i % expected.length];
    worst = Math.max(worst, Math.abs(value - want));
    largest = Math.max(largest, Math.abs(want));
  });
  return worst / largest;
}

async function main([model, batch, threads, x, y]) {
  const session = await ort.InferenceSession.create(model, {
    graphOptimizationLevel: 'all',
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    executionMode: 'sequential',
  });
  const given = readNpy(x);
  const images = new Float32Array(Number(batch) * 3 * 224 * 224);
  for (let i = 0; i < images.length; i++) images[i] = given[i % given.length];
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', images, [Number(batch), 3, 224, 224]) };
  const run = async () => (await session.run(feeds))[session.outputNames[0]].data;
  console.log('ready ' + difference(await run(), readNpy(y)).toPrecision(3));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const times = [];
    for (let k = Number(line); k > 0; k--) {
      const began = process.hrtime.bigint();
      await run();
      times.push(Number(process.hrtime.bigint() - began) / 1e9);
    }
    console.log(times.join(' '));
  }
}

main(process.argv.slice(2)).catch((error) => { console.error(String(error)); process.exit(1); });
