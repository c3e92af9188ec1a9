//! The fast sender: blocking sockets, objects that lie ready in memory, one write for each.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::pdus::{self, Object};

/// No peer may take longer for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open association.
pub struct Association {
    stream: TcpStream,
    buffer: Vec<u8>,
    maximum: usize,
}

impl Association {
    /// Opens one with a receiver on loopback.
    ///
    /// # Errors
    /// When it is not accepted as proposed.
    pub fn open(port: u16, called: &str) -> Result<Self> {
        let mut association = Self {
            stream: connect(port)?,
            buffer: vec![0; 4096],
            maximum: 0,
        };
        association.stream.write_all(&pdus::associate_rq(called))?;
        let body = association.answer(pdus::ASSOCIATE_AC)?;
        association.maximum = pdus::maximum_of_associate_ac(body)?;
        Ok(association)
    }

    /// The longest PDU that the receiver takes.
    pub fn maximum(&self) -> usize {
        self.maximum
    }

    /// Sends object number `n` and waits for Success.
    ///
    /// # Errors
    /// When anything else is answered, or nothing.
    pub fn store(&mut self, object: &mut Object, n: u64) -> Result<()> {
        self.stream.write_all(object.numbered(n))?;
        self.success().with_context(|| format!("object {n}"))
    }

    /// C-ECHO.
    ///
    /// # Errors
    /// As [`Association::store`].
    pub fn echo(&mut self) -> Result<()> {
        self.stream.write_all(&pdus::echo_rq())?;
        self.success()
    }

    /// Ends the association in order.
    ///
    /// # Errors
    /// When the release is not answered.
    pub fn release(mut self) -> Result<()> {
        self.stream.write_all(&pdus::RELEASE_RQ)?;
        self.answer(pdus::RELEASE_RP)?;
        Ok(())
    }

    fn success(&mut self) -> Result<()> {
        let status = pdus::status(self.answer(pdus::P_DATA_TF)?)?;
        ensure!(status == 0, "answered with status {status:04X}");
        Ok(())
    }

    /// The body of the next PDU, which has to be of that type.
    fn answer(&mut self, kind: u8) -> Result<&[u8]> {
        let mut have = 0;
        let mut whole = 6;
        while have < whole {
            // Receivers answer with one PDU at a time, so what is read beyond the header belongs to it.
            let read = self
                .stream
                .read(&mut self.buffer[have..])
                .with_context(|| format!("no answer within {} s", PATIENCE.as_secs()))?;
            ensure!(
                read > 0,
                "the connection was closed where a PDU {kind:02X} was due"
            );
            have += read;
            if whole == 6 && have >= 6 {
                let length = self.buffer[2..6]
                    .first_chunk()
                    .map_or(0, |b| u32::from_be_bytes(*b));
                whole = 6 + length as usize;
                if whole > self.buffer.len() {
                    bail!("an answer of {whole} bytes");
                }
            }
        }
        ensure!(
            self.buffer[0] == kind && have == whole,
            "PDU {:02X} of {have} bytes where {kind:02X} was due: {:02X?}",
            self.buffer[0],
            &self.buffer[..have.min(16)]
        );
        Ok(&self.buffer[6..whole])
    }
}

/// Sends the bytes of objects and waits for nothing but the end.
///
/// # Errors
/// When they are not taken.
pub fn pour(port: u16, object: &mut Object, numbers: std::ops::Range<u64>) -> Result<()> {
    let mut stream = connect(port)?;
    for n in numbers {
        stream.write_all(object.numbered(n))?;
    }
    stream.shutdown(Shutdown::Write)?;
    ensure!(stream.read(&mut [0])? == 0, "the sink talks");
    Ok(())
}

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
