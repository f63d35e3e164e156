//! A client that asks just as a server closes its idle connections.

/// Asks a host and port, 180 to 206 ms after each answer, until as many requests failed with 503; then it prints the last status. One process
/// keeps its times better than a shell does: starting curl takes 5 ms or 50.
pub const RACE: &str = "
import http.client, sys, time
host, port, left = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(60):
    connection = http.client.HTTPConnection(host, port, timeout=5)
    connection.request('GET', '/')
    answer = connection.getresponse()
    answer.read()
    answered = time.monotonic()
    connection.close()
    left -= answer.status == 503
    if left == 0:
        break
    time.sleep(max(0, answered + 0.180 + number % 14 * 0.002 - time.monotonic()))
print('HTTP/1.1', answer.status)
";
