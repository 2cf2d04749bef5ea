/* What programs of a JVM do, inside a sandbox.  Prints cpus N and heap N, then ok. */
import com.sun.net.httpserver.HttpServer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

public class Work {
	static void check(boolean yes, String what)
	{
		if (!yes)
			throw new AssertionError(what);
	}

	static void threads() throws Exception
	{
		var pool = Executors.newFixedThreadPool(8);
		var all = pool.invokeAll(IntStream.range(0, 32).<Callable<Integer>>mapToObj(i -> () -> i).toList());
		int sum = 0;
		for (var f : all)
			sum += f.get();
		pool.shutdown();
		check(pool.awaitTermination(5, TimeUnit.SECONDS) && sum == 496, "threads");
		check(IntStream.range(0, 1000000).parallel().filter(i -> i % 2 == 0).count() == 500000, "parallel");
		for (int i = 0; i < 500; i++)
			check(new byte[1 << 20].length > 0, "garbage");
	}

	static void child() throws Exception
	{
		var p = new ProcessBuilder("sh", "-c", "tr a-z A-Z").start();
		try (var in = p.getOutputStream()) {
			in.write("abc".getBytes());
		}
		check(new String(p.getInputStream().readAllBytes()).equals("ABC") && p.waitFor() == 0, "child");
	}

	static void files() throws Exception
	{
		Path dir = Files.createTempDirectory("java"), f = dir.resolve("a");
		try (var c = FileChannel.open(f, StandardOpenOption.CREATE, StandardOpenOption.READ,
					      StandardOpenOption.WRITE)) {
			c.write(ByteBuffer.wrap(new byte[8192]));
			var m = c.map(FileChannel.MapMode.READ_WRITE, 0, 4096);
			m.put(7, (byte)1);
			m.force();
			check(c.lock().isValid(), "lock");
		}
		check(Files.readAllBytes(f)[7] == 1, "mapped");
		Files.copy(f, dir.resolve("b"));
		try (var names = Files.list(dir)) {
			check(names.count() == 2, "list");
		}
	}

	static void loopback() throws Exception
	{
		var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
		server.createContext("/", e -> {
			var b = e.getRequestBody().readAllBytes();
			e.sendResponseHeaders(200, b.length);
			e.getResponseBody().write(b);
			e.close();
		});
		server.start();
		var to = URI.create("http://127.0.0.1:" + server.getAddress().getPort());
		var r = HttpClient.newHttpClient().send(
			HttpRequest.newBuilder(to).POST(HttpRequest.BodyPublishers.ofString("back")).build(),
			HttpResponse.BodyHandlers.ofString());
		check(r.body().equals("back"), "http");
		server.stop(0);
	}

	public static void main(String[] args) throws Exception
	{
		threads();
		child();
		files();
		loopback();
		System.out.println("cpus " + Runtime.getRuntime().availableProcessors());
		System.out.println("heap " + Runtime.getRuntime().maxMemory());
		System.out.println("ok");
		System.exit(0);
	}
}
