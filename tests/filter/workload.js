// What Node programs do, under a level's filter: workload.js network|no-network
const { execSync } = require('child_process');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const { Worker, isMainThread } = require('worker_threads');

function files() {
	const d = fs.mkdtempSync(path.join(os.tmpdir(), 'brig-'));
	fs.writeFileSync(d + '/a', 'x');
	fs.copyFileSync(d + '/a', d + '/b');
	fs.watch(d).close();
	fs.readdirSync(d);
	fs.rmSync(d, { recursive: true });
}

function serve(done) {
	const server = http.createServer((q, r) => r.end('y'));
	server.listen(0, '127.0.0.1', async () => {
		const r = await fetch('http://127.0.0.1:' + server.address().port);
		if (await r.text() !== 'y')
			throw new Error('no answer');
		server.closeAllConnections();
		server.close(done);
	});
}

if (isMainThread) {
	files();
	if (execSync('echo hi').toString() !== 'hi\n')
		throw new Error('no child');
	if (!os.cpus().length || !os.totalmem())
		throw new Error('no machine');
	require('crypto').pbkdf2Sync('a', 'b', 1000, 20, 'sha1');
	const garbage = [];
	for (let i = 0; i < 3e5; i++)
		garbage.push({ i });
	new Worker(__filename).on('exit', () => {
		if (process.argv[2] === 'network')
			serve(() => console.log('ok'));
		else
			console.log('ok');
	});
}
