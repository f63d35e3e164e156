//! What a program prints, read like a file: `kubectl logs`.

use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::JoinHandle;

/// A program and what to call its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The name of its output in messages.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Program {
    /// Starts it. What it prints ends in an error where the program failed: the last that it said on standard error.
    pub fn start(&self) -> io::Result<Printed> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let errors = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let said = std::thread::spawn(move || last_line(errors));
        Ok(Printed { child, output, said: Some(said) })
    }

    /// Starts it for somebody who looks now and then.
    pub fn follow(&self) -> io::Result<Followed> {
        let mut printed = self.start()?;
        let (give, blocks) = sync_channel(BLOCKS);
        std::thread::spawn(move || {
            let mut block = vec![0; BLOCK];
            loop {
                let read = printed.read(&mut block);
                let read = read.map(|length| block.iter().take(length).copied().collect::<Vec<u8>>());
                let goes_on = match &read {
                    Ok(block) if block.is_empty() => return,
                    other => other.is_ok(),
                };
                if give.send(read).is_err() || !goes_on {
                    return;
                }
            }
        });
        Ok(Followed { blocks, rest: io::Cursor::default(), ended: false })
    }
}

/// How many blocks of which size wait for whoever looks.
const BLOCKS: usize = 4;
const BLOCK: usize = 1 << 16;

/// No more of what a program says on standard error is kept.
const LONGEST: usize = 1 << 16;

fn last_line(mut errors: impl Read) -> String {
    let mut text = Vec::new();
    let mut block = [0; 4096];
    while let Ok(length @ 1..) = errors.read(&mut block) {
        text.extend(block.iter().take(length));
        let surplus = text.len().saturating_sub(LONGEST);
        text.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&text);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

/// The output of a program that runs; it ends with whoever reads it.
#[derive(Debug)]
pub struct Printed {
    child: Child,
    output: ChildStdout,
    said: Option<JoinHandle<String>>,
}

impl Read for Printed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.output.read(buffer)? {
            0 if !buffer.is_empty() => self.end().map(|()| 0),
            length => Ok(length),
        }
    }
}

impl Printed {
    fn end(&mut self) -> io::Result<()> {
        let status = self.child.wait()?;
        let said = self.said.take().and_then(|said| said.join().ok());
        match said {
            // It was asked before.
            None => Ok(()),
            Some(_) if status.success() => Ok(()),
            Some(said) if said.is_empty() => Err(io::Error::other(status.to_string())),
            Some(said) => Err(io::Error::other(said)),
        }
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of a program, as far as it is there; reading never waits.
#[derive(Debug)]
pub struct Followed {
    blocks: Receiver<io::Result<Vec<u8>>>,
    rest: io::Cursor<Vec<u8>>,
    ended: bool,
}

impl Followed {
    /// Whether there will be nothing more.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.rest.read(buffer)?;
            if length > 0 || buffer.is_empty() || self.ended {
                return Ok(length);
            }
            match self.blocks.try_recv() {
                Ok(Ok(block)) => self.rest = io::Cursor::new(block),
                Ok(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                Err(TryRecvError::Empty) => return Ok(0),
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(script: &str) -> Program {
        let command = ["sh", "-c", script].map(str::to_owned).into();
        Program { name: "test".into(), command }
    }

    #[test]
    fn what_is_printed_is_read_and_a_failure_is_an_error() {
        let mut text = String::new();
        shell("echo one; echo two").start().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
        let mut before = Vec::new();
        let failing = shell("echo one; echo 'Error: no such pod' >&2; exit 1");
        let error = failing.start().unwrap().read_to_end(&mut before).unwrap_err();
        assert_eq!((before.as_slice(), error.to_string().as_str()), (&b"one\n"[..], "Error: no such pod"));
        let missing = Program { name: "test".into(), command: vec!["/no/such/program".into()] };
        assert_eq!(missing.start().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_followed_program_is_not_waited_for() {
        let mut followed = shell("echo one; sleep 0.3; echo two; exit 3").follow().unwrap();
        let (mut text, mut empty, mut error) = (Vec::new(), 0, None);
        while !followed.has_ended() {
            let before = text.len();
            error = followed.read_to_end(&mut text).err();
            empty += usize::from(text.len() == before);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(text, b"one\ntwo\n");
        assert!(empty > 2, "it was waited for");
        assert!(error.unwrap().to_string().contains('3'));
    }

    #[test]
    fn it_ends_with_its_reader() {
        let printed = shell("exec sleep 60").start().unwrap();
        let id = printed.child.id();
        drop(printed);
        assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
    }
}
