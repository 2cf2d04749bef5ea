/* What programs of a JVM do, under a level's filter: Workload network|no-network */
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

public class Workload {
	static void check(boolean yes)
	{
		if (!yes)
			throw new AssertionError();
	}

	public static void main(String[] args) throws Exception
	{
		var pool = Executors.newFixedThreadPool(4);
		int sum = 0;
		for (var f : pool.invokeAll(Collections.<Callable<Integer>>nCopies(8, () -> 1)))
			sum += f.get();
		pool.shutdown();
		check(sum == 8);
		check(new ProcessBuilder("/bin/echo", "hi").start().waitFor() == 0);
		Path from = Files.createTempFile("brig", "x"), to = Path.of(from + "2");
		Files.writeString(from, "abc");
		Files.copy(from, to);
		check(Files.readString(to).equals("abc"));
		Files.delete(from);
		Files.delete(to);
		for (int i = 0; i < 200; i++)
			check(new byte[1 << 20].length > 0);
		System.gc();
		if (args[0].equals("network")) {
			var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
			new Socket(server.getInetAddress(), server.getLocalPort()).close();
			server.accept();
		}
		System.out.println("ok");
	}
}
