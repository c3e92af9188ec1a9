//! What is measured: how many objects, of which size, over how many associations, and who takes part.

use std::time::Duration;

use super::measure::REST;
use super::peer::Peer;

/// Bytes of pixels of an ordinary object.
const SLICE: usize = 512 * 1024;
/// Of a large one.
const LARGE: usize = 150_000_000;

/// One block of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scenario {
    One,
    Four,
    Sixteen,
    Large,
    Single,
    Storescu,
    Dcmsend,
    Churn,
    Held,
}

/// How associations are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// So many at once, which share the objects.
    Together(usize),
    /// One after another, each with one object.
    OneByOne,
    /// One after another, each with a C-ECHO.
    Echo,
    /// All open before the first object is sent, one on each.
    Held,
    /// One, opened by a program of dcmtk as Debian ships it.
    Program(&'static str),
}

impl Scenario {
    /// All, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::One,
        Self::Four,
        Self::Sixteen,
        Self::Large,
        Self::Single,
        Self::Storescu,
        Self::Dcmsend,
        Self::Churn,
        Self::Held,
    ];

    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Four => "four",
            Self::Sixteen => "sixteen",
            Self::Large => "large",
            Self::Single => "single",
            Self::Storescu => "storescu",
            Self::Dcmsend => "dcmsend",
            Self::Churn => "churn",
            Self::Held => "held",
        }
    }

    /// Those that a word of the command line means.
    pub fn named(word: &str) -> Option<Vec<Self>> {
        if word == "stock" {
            return Some(vec![Self::Storescu, Self::Dcmsend]);
        }
        Self::ALL.into_iter().find(|s| s.name() == word).map(|s| vec![s])
    }

    /// What happens, for the head of its block.
    pub fn title(self) -> &'static str {
        match self {
            Self::One => "objects of 0.52 MB over one association",
            Self::Four => "objects of 0.52 MB over four associations at once",
            Self::Sixteen => "objects of 0.52 MB over sixteen associations at once",
            Self::Large => "objects of 150 MB over one association",
            Self::Single => "associations one after another with an object of 0.52 MB each",
            Self::Storescu => "objects of 0.52 MB sent by storescu as shipped",
            Self::Dcmsend => "objects of 0.52 MB sent by dcmsend as shipped",
            Self::Churn => "associations one after another with a C-ECHO each",
            Self::Held => "associations held open at once, then an object of 0.52 MB on each",
        }
    }

    /// How associations are used.
    pub fn way(self) -> Way {
        match self {
            Self::One | Self::Large => Way::Together(1),
            Self::Four => Way::Together(4),
            Self::Sixteen => Way::Together(16),
            Self::Single => Way::OneByOne,
            Self::Storescu => Way::Program("storescu"),
            Self::Dcmsend => Way::Program("dcmsend"),
            Self::Churn => Way::Echo,
            Self::Held => Way::Held,
        }
    }

    /// Bytes of pixels of an object.
    pub fn size(self) -> usize {
        if self == Self::Large { LARGE } else { SLICE }
    }

    /// How many associations are open at once.
    pub fn associations(self, objects: usize) -> usize {
        match self.way() {
            Way::Together(associations) => associations,
            Way::Held => objects,
            Way::OneByOne | Way::Echo | Way::Program(_) => 1,
        }
    }

    /// Objects (or associations) a round.
    pub fn objects(self, full: bool) -> usize {
        let (quick, whole) = match self {
            Self::One | Self::Four | Self::Sixteen => (400, 2000),
            Self::Large => (2, 6),
            Self::Single => (100, 500),
            Self::Storescu | Self::Dcmsend => (100, 100),
            Self::Churn => (200, 1000),
            Self::Held => (100, 500),
        };
        if full { whole } else { quick }
    }

    /// Who takes part unless the command line says otherwise.
    pub fn peers(self) -> Vec<Peer> {
        use Peer::{Best, Copy, Fsync, Instance, None, Orthanc, Pynetdicom, Sink, Stock, Write};
        match self {
            Self::One | Self::Large => Peer::ALL.to_vec(),
            Self::Four | Self::Sixteen => {
                vec![
                    None, Instance, Best, Orthanc, Pynetdicom, Sink, Copy, Write, Fsync,
                ]
            }
            Self::Single => vec![None, Instance, Best, Stock, Orthanc, Pynetdicom],
            Self::Storescu | Self::Dcmsend => vec![None, Instance, Best, Stock],
            Self::Churn => vec![None, Best, Stock, Orthanc, Pynetdicom],
            Self::Held => vec![None, Instance, Best, Orthanc, Pynetdicom],
        }
    }

    /// Whether a peer can take part at all.
    pub fn suits(self, peer: Peer) -> Result<(), &'static str> {
        let limit = peer == Peer::Sink || peer.limit().is_some();
        match (self.way(), peer) {
            (Way::Together(_), Peer::Stock) if self.associations(0) > 1 => {
                Err("takes one association at a time")
            }
            (Way::Held, Peer::Stock) => Err("takes one association at a time"),
            (Way::OneByOne | Way::Echo | Way::Held | Way::Program(_), _) if limit => {
                Err("has no associations")
            }
            _ => Ok(()),
        }
    }

    /// How long a receiver has to be quiet until all it did is counted. What has come the node classifies once a second;
    /// one scenario waits for that.
    pub fn rest(self, peer: Peer) -> Duration {
        match (self, peer) {
            (Self::One, Peer::None | Peer::Instance | Peer::Unclassified) => Duration::from_millis(1100),
            _ => REST,
        }
    }

    /// The part of the objects that a slow peer gets; rates are compared then.
    pub fn share(self, peer: Peer, objects: usize, full: bool) -> usize {
        let divisor = match (self, peer) {
            (Self::Large, Peer::Pynetdicom) => 3,
            (Self::Large, Peer::Orthanc) => 2,
            (Self::Churn, Peer::Pynetdicom) => 20,
            (Self::Storescu | Self::Dcmsend, Peer::Stock) if !full => 2,
            // It waits 40 ms for each acknowledgement.
            (Self::One, Peer::Stock) => 20,
            (Self::Single | Self::Churn, Peer::Stock) => 10,
            (Self::One | Self::Four | Self::Sixteen | Self::Single | Self::Held, Peer::Pynetdicom) => 10,
            (Self::One | Self::Four | Self::Sixteen, Peer::Orthanc) => 4,
            _ => 1,
        };
        (objects / divisor).max(self.associations(1)).min(objects)
    }
}
