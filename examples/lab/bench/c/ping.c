/* The least that asks a Redis in C: connect, PING, read. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_in redis = {.sin_family = AF_INET, .sin_port = htons(6379)};
	char reply[64] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	redis.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&redis, sizeof redis) != 0)
		return 1;
	if (write(fd, "PING\r\n", 6) != 6 || read(fd, reply, sizeof reply - 1) < 5)
		return 1;
	return strncmp(reply, "+PONG", 5) != 0;
}
