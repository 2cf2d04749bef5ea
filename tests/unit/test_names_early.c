/*
 * A name service whose sockets were bound before its network namespace had an address, as they are
 * where an engine's hook brings the devices.
 */
#include "names_fixture.h"

static void one(struct upstream_query *q)
{
	add_address(answer(q, ns_r_noerror), q->name, 30, "203.0.113.9");
}

const struct scripted scripts[] = {
	{"api.example.org", one },
	{NULL,              NULL},
};

/* Who has not connected his socket hears everybody, and sees who it was. */
static void by_whom(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(53),
				 .sin_addr.s_addr = htonl(NAMES_LISTEN_ADDRESS)};
	struct sockaddr_in from = {.sin_port = 0};
	socklen_t len = sizeof(from);
	struct packet q;
	char data[512];
	own_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	query_of(&q, "api.example.org", ns_t_a);
	CHECK(sendto(fd, q.bytes, q.len, 0, (struct sockaddr *)&to, sizeof(to)) > 0);
	CHECK(work_until(fd, 5000));
	CHECK(recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &len) > 0);
	CHECK(from.sin_addr.s_addr == to.sin_addr.s_addr && from.sin_port == to.sin_port);
}

/* As libraries do: what comes from another address than the one that was asked is not heard. */
static void to_connected(void)
{
	struct reply r = lookup("api.example.org", ns_t_a);

	CHECK(r.rcode == ns_r_noerror);
	CHECK_STR(texts_of(&r), "203.0.113.9");
}

static void by_tcp(void)
{
	struct packet q;
	uint8_t head[2];
	own_fd int fd = client(SOCK_STREAM);

	query_of(&q, "api.example.org", ns_t_a);
	head[0] = (uint8_t)(q.len >> 8);
	head[1] = (uint8_t)q.len;
	CHECK(send(fd, head, 2, MSG_NOSIGNAL) == 2);
	CHECK(send(fd, q.bytes, q.len, MSG_NOSIGNAL) == (ssize_t)q.len);
	CHECK(work_until(fd, 5000) && recv(fd, head, 2, MSG_DONTWAIT) == 2);
}

int main(void)
{
	static const char *const texts[] = {"api.example.org:443"};

	enter_empty_netns();
	set_grants(texts, LEN(texts));
	start_service(false);
	loopback_up();
	start_upstream();
	by_whom();
	to_connected();
	by_tcp();
	names_close(service);
	arena_free(&arena);
	return check_done();
}
