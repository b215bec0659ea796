//! TensorBoard's event files, as far as curves need them.
//!
//! A file is a sequence of records: length (u64, little endian), its masked CRC-32C, the bytes, theirs. The
//! bytes are a protobuf message `Event`; field numbers are those of TensorFlow's `event.proto` and
//! `summary.proto`. Deliberately absent: histograms, pictures, reading.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use prost::Message;

use crate::Error;

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    path: PathBuf,
}

/// What the first event of every file says.
const VERSION: &str = "brain.Event:2";

/// `SessionLog.START`: older events of this step and later ones no longer hold.
const START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    // Written at 0 as well, where proto3 leaves a plain field out: a loss of 0 is a point of its curve.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl EventFile {
    /// Begins a new file in the folder. A run that goes on says with `from` from which step on what older
    /// files say no longer holds.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn create(folder: &Path, time: f64, from: Option<u64>) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("make the folder", folder))?;
        let stamp = time as u64;
        // TensorBoard reads files in the order of their names.
        let (file, path) = (0..)
            .find_map(|number: u32| {
                let path = folder.join(format!("events.out.tfevents.{stamp:010}.ixc.{number:04}"));
                match File::create_new(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => None,
                    made => Some(
                        made.map(|file| (file, path.clone())).map_err(Error::io("make", &path)),
                    ),
                }
            })
            .expect("some number is free")?;
        let mut events = Self { file, path };
        let version = Some(VERSION.to_owned());
        events.write(&Event { wall_time: time, file_version: version, ..Event::default() })?;
        if let Some(step) = from {
            let session_log = Some(SessionLog { status: START });
            let step = step as i64;
            events.write(&Event { wall_time: time, step, session_log, ..Event::default() })?;
        }
        Ok(events)
    }

    /// Adds a point to curves, by their names.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn scalars(&mut self, time: f64, step: i64, curves: &[(&str, f64)]) -> Result<(), Error> {
        let value = |(tag, value): &(&str, f64)| Value {
            tag: (*tag).into(),
            simple_value: Some(*value as f32),
        };
        let summary = Some(Summary { value: curves.iter().map(value).collect() });
        self.write(&Event { wall_time: time, step, summary, ..Event::default() })
    }

    fn write(&mut self, event: &Event) -> Result<(), Error> {
        let record = record(&event.encode_to_vec());
        self.file.write_all(&record).map_err(Error::io("write", &self.path))
    }
}

/// A message in its frame.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked(message).to_le_bytes());
    record
}

/// TFRecord's checksum: CRC-32C, turned and shifted, so that a checksum over checksums still means something.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: events are short and rare.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
    }

    #[test]
    fn files_hold_framed_events_and_never_replace_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = EventFile::create(folder.path(), 12.5, None).unwrap();
        first.scalars(13.0, 7, &[("train/loss", 0.0), ("eval/loss", 2.5)]).unwrap();
        let second = EventFile::create(folder.path(), 12.5, Some(3)).unwrap();
        assert!(first.path < second.path);
        let bytes = fs::read(&first.path).unwrap();
        let mut events = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (length, after) = rest.split_at(8);
            let count = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            assert_eq!(after[..4], masked(length).to_le_bytes());
            let message = &after[4..4 + count];
            assert_eq!(after[4 + count..8 + count], masked(message).to_le_bytes());
            events.push(Event::decode(message).unwrap());
            rest = &after[8 + count..];
        }
        assert_eq!(events[0].file_version.as_deref(), Some(VERSION));
        let summary = events[1].summary.as_ref().unwrap();
        assert_eq!((events[1].step, events[1].wall_time), (7, 13.0));
        assert_eq!(summary.value[0].simple_value, Some(0.0));
        assert_eq!(
            (summary.value[1].tag.as_str(), summary.value[1].simple_value),
            ("eval/loss", Some(2.5))
        );
    }
}
