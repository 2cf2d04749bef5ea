// What Node jobs do, inside a sandbox.  Prints cpus N and memory N, then ok.
const assert = require('assert');
const { spawn, fork, execFileSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const { pipeline } = require('stream/promises');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const zlib = require('zlib');

const once = (o, name) => new Promise((yes, no) => o.once(name, yes).once('error', no));

async function threads() {
	const shared = new Int32Array(new SharedArrayBuffer(4));
	const all = [];
	for (let i = 0; i < 4; i++)
		all.push(once(new Worker(__filename, { workerData: shared }), 'exit'));
	await Promise.all(all);
	assert.strictEqual(shared[0], 4000);
}

async function files(dir) {
	const name = path.join(dir, 'a');
	await fs.promises.writeFile(name, crypto.randomBytes(1 << 20));
	await pipeline(fs.createReadStream(name), zlib.createGzip(), zlib.createGunzip(),
		fs.createWriteStream(name + '2'));
	assert(fs.readFileSync(name).equals(fs.readFileSync(name + '2')));
	fs.watch(dir).close();
	fs.symlinkSync('a', path.join(dir, 'l'));
	assert.deepStrictEqual((await fs.promises.readdir(dir)).sort(), ['a', 'a2', 'l']);
}

async function children() {
	assert.strictEqual(execFileSync('sh', ['-c', 'echo $0', 'x']).toString(), 'x\n');
	const c = spawn('cat');
	let out = '';
	c.stdout.on('data', (d) => (out += d));
	c.stdin.end('through');
	await once(c, 'close');
	assert.strictEqual(out, 'through');
	const f = fork(__filename, ['child']);
	f.send('ping');
	assert.strictEqual(await once(f, 'message'), 'pong');
	f.kill();
	await once(f, 'exit');
}

async function loopback() {
	const server = http.createServer((q, r) => q.pipe(r));
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const answer = await new Promise((yes, no) => http.request(
		{ host: '127.0.0.1', port: server.address().port, method: 'POST', agent: false },
		(r) => r.on('data', yes)).on('error', no).end('there and back'));
	assert.strictEqual(answer.toString(), 'there and back');
	server.close();
}

async function main() {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'node-'));
	await threads();
	await files(dir);
	await children();
	await loopback();
	await new Promise((yes) => crypto.pbkdf2('a', 'b', 1000, 20, 'sha256', yes));
	new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
	fs.rmSync(dir, { recursive: true });
	console.log('cpus', os.cpus().length);
	console.log('parallel', os.availableParallelism ? os.availableParallelism() : os.cpus().length);
	console.log('memory', os.totalmem());
	console.log('ok');
}

if (!isMainThread)
	for (let i = 0; i < 1000; i++)
		Atomics.add(workerData, 0, 1);
else if (process.argv[2] === 'child')
	process.on('message', () => process.send('pong'));
else
	main().catch((e) => { console.log(e); process.exit(1); });
