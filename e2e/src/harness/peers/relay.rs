//! A network of some length: these kernels have no netem.

/// A Python program that listens on the port of its first argument and leads to that of its second one. It holds bytes and ends
/// back for 3 ms each way.
pub const RELAY: &str = "
import contextlib, socket, sys, threading, time
def pump(source, sink):
    try:
        while data := source.recv(65536):
            time.sleep(0.003)
            sink.sendall(data)
        time.sleep(0.003)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in source, sink:
            # Closing alone says nothing to the peer while the other thread reads.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
listener = socket.create_server(('', int(sys.argv[1])))
while True:
    near, _ = listener.accept()
    try:
        far = socket.create_connection(('127.0.0.1', int(sys.argv[2])))
    except OSError:
        near.close()
        continue
    for side in near, far:
        side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    threading.Thread(target=pump, args=(far, near), daemon=True).start()
";
