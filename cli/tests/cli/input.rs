//! What is read, and what can't be.

use super::*;

#[test]
fn gzip_by_its_first_bytes() {
    let whole = gzip(&format!("{FINE}\n{TIMEOUT}\n"));
    let output = fed(&["explain"], &whole);
    assert!(out(&output).contains("upstream_timeout"));
    assert_eq!(output.status.code(), Some(1));
    // Two files, one behind the other, are one.
    let twice = [whole.clone(), whole].concat();
    assert!(err(&fed(&["explain"], &twice)).contains("2 of 4 requests failed"));
}

#[test]
fn gzip_that_ends_too_early() {
    let lines = (0..20_000).map(|n| FINE.replace("26 24", &format!("{n} 24")) + "\n").collect::<String>();
    let mut bytes = gzip(&(format!("{TIMEOUT}\n") + &lines));
    bytes.truncate(bytes.len() / 2);
    let output = fed(&["explain"], &bytes);
    assert!(out(&output).contains("upstream_timeout"), "{}", err(&output));
    assert!(err(&output).contains("the gzip data ends too early"), "{}", err(&output));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_packed_otherwise_is_named() {
    let mut tar = vec![0_u8; 1024];
    tar.splice(..9, *b"istio.log");
    tar.splice(257..262, *b"ustar");
    tar.extend(TIMEOUT.as_bytes());
    let packed: [(Vec<u8>, &str); 5] = [
        (gzip(&String::from_utf8(tar).unwrap()), "a tar archive: unpack it first (tar xzf)"),
        (b"PK\x03\x04rest".to_vec(), "a zip archive: unpack it first (unzip)"),
        (b"\x28\xb5\x2f\xfdrest".to_vec(), "zstd data"),
        (b"\xfd7zXZ\0rest".to_vec(), "xz data"),
        (b"BZh91AY".to_vec(), "bzip2 data"),
    ];
    for (bytes, name) in packed {
        let output = fed(&["explain"], &bytes);
        assert!(err(&output).contains(name), "{name}: {}", err(&output));
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
    // A line that only begins alike.
    assert!(err(&fed(&["explain"], b"PKI\n")).contains("1 line could not be read"));
}

#[test]
fn lines_that_are_no_log_are_counted_and_the_rest_is_read() {
    let mut input = vec![0_u8, 159, 146, 150, b'\n'];
    input.extend((0..=255).cycle().take(20_000));
    input.push(b'\n');
    input.extend(std::iter::repeat_n(b'x', 10 << 20));
    input.push(b'\n');
    input.extend(TIMEOUT.as_bytes());
    // Cut off in the middle of a line.
    input.extend(b"\n[2026-11-20T10:00:02.453Z] \"GET");
    let output = fed(&["explain"], &input);
    assert!(out(&output).contains("upstream_timeout"));
    let says = err(&output);
    assert!(says.contains("1 of 1 request failed"), "{says}");
    assert!(says.contains("lines could not be read") && says.contains("standard input:1: "), "{says}");
    assert!(says.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{says:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_line_that_is_too_long_is_named() {
    let input = "x".repeat(10 << 20) + "\n" + TIMEOUT;
    let output = fed(&["explain"], input.as_bytes());
    assert!(err(&output).contains("standard input:1: longer than 1 MiB"), "{}", err(&output));
    assert!(out(&output).contains("upstream_timeout"));
}

#[test]
fn bytes_that_are_no_text_in_a_header_do_no_harm() {
    let mut line = TIMEOUT.as_bytes().to_vec();
    let at = TIMEOUT.find("\"curl\"").unwrap();
    line.splice(at + 1..at + 5, [0xff, 0xfe, 0x1b, b'[', b'2', b'J']);
    let output = fed(&["explain"], &line);
    assert!(out(&output).contains("upstream_timeout"));
    assert!(!out(&output).contains('\u{1b}'));
}

#[test]
fn a_line_that_is_no_log_is_shown_without_its_query() {
    let output = fed(&["explain"], b"GET /a?token=SECRET HTTP/1.1 \"/b?x=SECRET\" 200\r\n");
    assert!(err(&output).contains("standard input:1: GET /a HTTP/1.1 '/b' 200\n"), "{}", err(&output));
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_refused_and_pipes_are_read_once() {
    for arguments in [
        &["check", "/dev/zero"][..],
        &["explain", "/dev/zero"],
        &["explain", "--quiet", "/dev/zero"],
        &["correlate", "/dev/zero", "gateway.log"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let quiet = arguments.contains(&"--quiet");
        assert!(quiet || err(&output).contains("is a device or socket"), "{}", err(&output));
    }
    let folder = std::env::temp_dir().join(format!("meshwhy-pipes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe = pipe.to_str().unwrap().to_owned();
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, format!("{TIMEOUT}\n")).unwrap())
    };
    assert!(out(&run(&["explain", &pipe])).contains("upstream_timeout"));
    writer.join().unwrap();
    // Opening one would wait for a writer.
    let output = run(&["correlate", &pipe, "gateway.log"]);
    assert!(err(&output).contains("is a pipe") && output.status.code() == Some(2), "{}", err(&output));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_too_large_to_be_checked_is_refused() {
    let file = std::env::temp_dir().join(format!("meshwhy-large-{}.yaml", std::process::id()));
    std::fs::File::create(&file).unwrap().set_len((64 << 20) + 1).unwrap();
    let output = run(&["check", file.to_str().unwrap()]);
    assert!(
        err(&output).contains("longer than 64 MiB") && output.status.code() == Some(2),
        "{}",
        err(&output)
    );
    let output = meshwhy(&["check", "-"]).stdin(std::fs::File::open(&file).unwrap()).output().unwrap();
    assert!(
        err(&output).contains("longer than 64 MiB") && output.status.code() == Some(2),
        "{}",
        err(&output)
    );
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_file_that_disappears_while_it_is_followed_may_come_back() {
    let folder = std::env::temp_dir().join(format!("meshwhy-gone-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (log, reported) = (folder.join("access.log"), folder.join("reported"));
    let mut child = meshwhy(&["explain", "--json", "--follow", log.to_str().unwrap()])
        .stdout(std::fs::File::create(&reported).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for count in 1..=2 {
        std::fs::write(&log, format!("{TIMEOUT}\n")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::fs::read_to_string(&reported).unwrap().lines().count() < count {
            assert!(Instant::now() < deadline, "not {count} failures");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::remove_file(&log).unwrap();
        std::thread::sleep(Duration::from_millis(500));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_pipe_that_stays_open_is_told_line_by_line() {
    let mut child =
        meshwhy(&["explain", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..3 {
        stdin.write_all(format!("{TIMEOUT}\n").as_bytes()).unwrap();
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("upstream_timeout"), "{line}");
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_file_is_followed_over_rotation_and_truncation() {
    let folder = std::env::temp_dir().join(format!("meshwhy-cli-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (log, reported): (PathBuf, PathBuf) = (folder.join("access.log"), folder.join("reported"));
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append(&format!("{TIMEOUT}\n"));
    let mut child = meshwhy(&["explain", "--json", "--follow", log.to_str().unwrap()])
        .stdout(std::fs::File::create(&reported).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait_for = |count: usize| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while std::fs::read_to_string(&reported).unwrap().lines().count() < count {
            assert!(Instant::now() < deadline, "not {count} failures");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for(1);
    append(TIMEOUT);
    append("\n");
    wait_for(2);
    std::fs::rename(&log, folder.join("access.log.1")).unwrap();
    append(&format!("{TIMEOUT}\n{TIMEOUT}\n"));
    wait_for(4);
    std::fs::File::create(&log).unwrap();
    // It has to be seen shorter once: a truncated file that has grown past the old end looks like one that grew.
    std::thread::sleep(Duration::from_millis(600));
    append(&format!("{TIMEOUT}\n"));
    wait_for(5);
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// PowerShell's `>` writes it.
#[test]
fn utf16_is_followed_character_by_character() {
    let log = std::env::temp_dir().join(format!("meshwhy-utf16-{}.log", std::process::id()));
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let line = wide(&format!("{TIMEOUT}\r\n"));
    let (half, rest) = line.split_at(101);
    std::fs::write(&log, [b"\xff\xfe", half].concat()).unwrap();
    let mut child = meshwhy(&["explain", "--json", "--follow", log.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    std::thread::sleep(Duration::from_millis(500));
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(&[rest, line.as_slice()].concat()).unwrap();
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("upstream_timeout"), "{line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(&log).unwrap();
}

/// The agent prints its configuration when it starts.
#[test]
fn the_agents_configuration_is_the_proxys_own_log() {
    let agent = "2026-11-20T10:00:00.113011Z\tinfo\tEffective config: binaryPath: /usr/local/bin/envoy\nconcurrency: 1\nextraStatTags:\n- cause\n- side\n\
        2026-11-20T10:00:00.2Z\tinfo\tJWT policy is third-party-jwt\n";
    let output = fed(&["explain"], format!("{agent}{TIMEOUT}\n").as_bytes());
    assert!(err(&output).contains("6 other lines of the proxy's log passed over"), "{}", err(&output));
    assert!(!err(&output).contains("could not be read"), "{}", err(&output));
    // Elsewhere such lines are what they are.
    let output = fed(&["explain"], format!("{TIMEOUT}\nconcurrency: 1\n").as_bytes());
    assert!(err(&output).contains("1 line could not be read"), "{}", err(&output));
}
