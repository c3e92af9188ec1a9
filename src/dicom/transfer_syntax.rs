//! The transfer syntaxes a data set is exchanged in (PS3.5 §10 and Annex A, PS3.6 Annex A), in families that a node
//! has one opinion about. Not among them: MIME, XML and Papyrus, which encode no data set; SMPTE, which is live video.

use dicom_dictionary_std::uids;

/// How data sets of a transfer syntax are encoded, as far as their elements can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Implicit VR Little Endian (PS3.5 §A.1).
    ImplicitLittle,
    /// Explicit VR Little Endian, native or encapsulated (PS3.5 §A.2, §A.4).
    ExplicitLittle,
    /// Explicit VR Big Endian (retired).
    ExplicitBig,
    /// Deflated Explicit VR Little Endian (PS3.5 §A.5).
    Deflated,
}

/// One transfer syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSyntax {
    /// Its UID.
    pub uid: &'static str,
    /// Its name in PS3.6, without what follows a colon there.
    pub name: &'static str,
    /// How its data sets are read.
    pub encoding: Encoding,
}

/// Transfer syntaxes between which only our taste decides.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// What they have in common.
    pub name: &'static str,
    /// In the order we prefer them.
    pub syntaxes: &'static [TransferSyntax],
}

/// Pixel data as it is: every bucket reads it without a codec. Explicit before implicit, since private elements then
/// keep their VR; big endian last, since few programs still read it.
pub const NATIVE: Family = Family {
    name: "native",
    syntaxes: &[
        explicit(uids::EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian"),
        TransferSyntax {
            uid: uids::IMPLICIT_VR_LITTLE_ENDIAN,
            name: "Implicit VR Little Endian",
            encoding: Encoding::ImplicitLittle,
        },
        TransferSyntax {
            uid: EXPLICIT_VR_BIG_ENDIAN,
            name: "Explicit VR Big Endian (Retired)",
            encoding: Encoding::ExplicitBig,
        },
    ],
};

/// Native pixels in fragments: no codec either, but a reader has to know the syntax.
pub const ENCAPSULATED_UNCOMPRESSED: Family = Family {
    name: "encapsulated uncompressed",
    syntaxes: &[explicit(
        uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN,
        "Encapsulated Uncompressed Explicit VR Little Endian",
    )],
};

/// Every pixel comes back; the longer a codec has been around the more readers have it, so it stands first. RLE is
/// read by all but makes the largest files.
#[expect(deprecated, reason = "what is retired is still stored as it was sent")]
pub const LOSSLESS: Family = Family {
    name: "lossless",
    syntaxes: &[
        explicit(
            uids::JPEG_LOSSLESS_SV1,
            "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        ),
        explicit(
            uids::JPEG_LOSSLESS,
            "JPEG Lossless, Non-Hierarchical (Process 14)",
        ),
        explicit(uids::JPEGLS_LOSSLESS, "JPEG-LS Lossless Image Compression"),
        explicit(
            uids::JPEG2000_LOSSLESS,
            "JPEG 2000 Image Compression (Lossless Only)",
        ),
        explicit(
            uids::HTJ2K_LOSSLESS,
            "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
        ),
        explicit(
            uids::HTJ2K_LOSSLESS_RPCL,
            "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
        ),
        explicit(uids::JPEGXL_LOSSLESS, "JPEG XL Lossless"),
        explicit(uids::RLE_LOSSLESS, "RLE Lossless"),
        explicit(
            uids::JPEG2000MC_LOSSLESS,
            "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)",
        ),
        explicit(
            uids::JPEG_LOSSLESS_NON_HIERARCHICAL15,
            "JPEG Lossless, Non-Hierarchical (Process 15) (Retired)",
        ),
        explicit(
            uids::JPEG_LOSSLESS_HIERARCHICAL28,
            "JPEG Lossless, Hierarchical (Process 28) (Retired)",
        ),
        explicit(
            uids::JPEG_LOSSLESS_HIERARCHICAL29,
            "JPEG Lossless, Hierarchical (Process 29) (Retired)",
        ),
    ],
};

/// Packed without loss, the whole data set or each frame.
pub const DEFLATED: Family = Family {
    name: "deflated",
    syntaxes: &[
        deflated(
            uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
            "Deflated Explicit VR Little Endian",
        ),
        explicit(
            uids::DEFLATED_IMAGE_FRAME_COMPRESSION,
            "Deflated Image Frame Compression",
        ),
    ],
};

/// Syntaxes that may lose something; some of them need not, but nobody can tell before the pixels are there.
#[expect(deprecated, reason = "what is retired is still stored as it was sent")]
pub const LOSSY: Family = Family {
    name: "lossy",
    syntaxes: &[
        explicit(uids::JPEG_BASELINE8_BIT, "JPEG Baseline (Process 1)"),
        explicit(uids::JPEG_EXTENDED12_BIT, "JPEG Extended (Process 2 & 4)"),
        explicit(
            uids::JPEGLS_NEAR_LOSSLESS,
            "JPEG-LS Lossy (Near-Lossless) Image Compression",
        ),
        explicit(uids::JPEG2000, "JPEG 2000 Image Compression"),
        explicit(uids::HTJ2K, "High-Throughput JPEG 2000 Image Compression"),
        explicit(uids::JPEGXLJPEG_RECOMPRESSION, "JPEG XL JPEG Recompression"),
        explicit(uids::JPEGXL, "JPEG XL"),
        explicit(
            uids::JPEG2000MC,
            "JPEG 2000 Part 2 Multi-component Image Compression",
        ),
        explicit(uids::JPEG_EXTENDED35, "JPEG Extended (Process 3 & 5) (Retired)"),
        explicit(
            uids::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL68,
            "JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8) (Retired)",
        ),
        explicit(
            uids::JPEG_SPECTRAL_SELECTION_NON_HIERARCHICAL79,
            "JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9) (Retired)",
        ),
        explicit(
            uids::JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1012,
            "JPEG Full Progression, Non-Hierarchical (Process 10 & 12) (Retired)",
        ),
        explicit(
            uids::JPEG_FULL_PROGRESSION_NON_HIERARCHICAL1113,
            "JPEG Full Progression, Non-Hierarchical (Process 11 & 13) (Retired)",
        ),
        explicit(
            uids::JPEG_EXTENDED_HIERARCHICAL1618,
            "JPEG Extended, Hierarchical (Process 16 & 18) (Retired)",
        ),
        explicit(
            uids::JPEG_EXTENDED_HIERARCHICAL1719,
            "JPEG Extended, Hierarchical (Process 17 & 19) (Retired)",
        ),
        explicit(
            uids::JPEG_SPECTRAL_SELECTION_HIERARCHICAL2022,
            "JPEG Spectral Selection, Hierarchical (Process 20 & 22) (Retired)",
        ),
        explicit(
            uids::JPEG_SPECTRAL_SELECTION_HIERARCHICAL2123,
            "JPEG Spectral Selection, Hierarchical (Process 21 & 23) (Retired)",
        ),
        explicit(
            uids::JPEG_FULL_PROGRESSION_HIERARCHICAL2426,
            "JPEG Full Progression, Hierarchical (Process 24 & 26) (Retired)",
        ),
        explicit(
            uids::JPEG_FULL_PROGRESSION_HIERARCHICAL2527,
            "JPEG Full Progression, Hierarchical (Process 25 & 27) (Retired)",
        ),
    ],
};

/// One stream of moving pictures: H.264 first, as it is decoded everywhere; in one fragment before fragmentable.
pub const VIDEO: Family = Family {
    name: "video",
    syntaxes: &[
        explicit(uids::MPEG4HP41, "MPEG-4 AVC/H.264 High Profile / Level 4.1"),
        explicit(
            uids::MPEG4HP41F,
            "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
        ),
        explicit(
            uids::MPEG4HP41BD,
            "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        ),
        explicit(
            uids::MPEG4HP41BDF,
            "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        ),
        explicit(
            uids::MPEG4HP422D,
            "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        ),
        explicit(
            uids::MPEG4HP422DF,
            "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        ),
        explicit(
            uids::MPEG4HP423D,
            "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        ),
        explicit(
            uids::MPEG4HP423DF,
            "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        ),
        explicit(
            uids::MPEG4HP42STEREO,
            "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        ),
        explicit(
            uids::MPEG4HP42STEREOF,
            "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        ),
        explicit(uids::MPEG2MPML, "MPEG2 Main Profile / Main Level"),
        explicit(uids::MPEG2MPMLF, "Fragmentable MPEG2 Main Profile / Main Level"),
        explicit(uids::MPEG2MPHL, "MPEG2 Main Profile / High Level"),
        explicit(uids::MPEG2MPHLF, "Fragmentable MPEG2 Main Profile / High Level"),
        explicit(uids::HEVCMP51, "HEVC/H.265 Main Profile / Level 5.1"),
        explicit(uids::HEVCM10P51, "HEVC/H.265 Main 10 Profile / Level 5.1"),
    ],
};

/// The pixels stay where they are and a URL is sent: the last choice of whoever wants to work on them.
pub const REFERENCED: Family = Family {
    name: "referenced",
    syntaxes: &[
        explicit(uids::JPIP_REFERENCED, "JPIP Referenced"),
        deflated(uids::JPIP_REFERENCED_DEFLATE, "JPIP Referenced Deflate"),
        explicit(uids::JPIPHTJ2K_REFERENCED, "JPIP HTJ2K Referenced"),
        deflated(
            uids::JPIPHTJ2K_REFERENCED_DEFLATE,
            "JPIP HTJ2K Referenced Deflate",
        ),
    ],
};

/// All families: every transfer syntax that is taken is in one of them.
pub const FAMILIES: [&Family; 7] = [
    &NATIVE,
    &ENCAPSULATED_UNCOMPRESSED,
    &LOSSLESS,
    &DEFLATED,
    &LOSSY,
    &VIDEO,
    &REFERENCED,
];

/// Explicit VR Big Endian, retired but stored as sent.
pub const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// The encoding of a transfer syntax; `None` for one that no data set is exchanged in.
#[must_use]
pub fn encoding(transfer_syntax: &str) -> Option<Encoding> {
    FAMILIES
        .iter()
        .flat_map(|family| family.syntaxes)
        .find(|t| t.uid == transfer_syntax)
        .map(|t| t.encoding)
}

const fn explicit(uid: &'static str, name: &'static str) -> TransferSyntax {
    let encoding = Encoding::ExplicitLittle;
    TransferSyntax { uid, name, encoding }
}

const fn deflated(uid: &'static str, name: &'static str) -> TransferSyntax {
    let encoding = Encoding::Deflated;
    TransferSyntax { uid, name, encoding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_the_standard_is_told_apart() {
        for (uid, expected) in [
            ("1.2.840.10008.1.2", Some(Encoding::ImplicitLittle)),
            ("1.2.840.10008.1.2.1", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.1.98", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.1.99", Some(Encoding::Deflated)),
            ("1.2.840.10008.1.2.2", Some(Encoding::ExplicitBig)),
            ("1.2.840.10008.1.2.4.70", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.95", Some(Encoding::Deflated)),
            ("1.2.840.10008.1.2.4.100.1", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.110", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.201", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.4.205", Some(Encoding::Deflated)),
            ("1.2.840.10008.1.2.5", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.8.1", Some(Encoding::ExplicitLittle)),
            ("1.2.840.10008.1.2.6.1", None), // MIME
            ("1.2.840.10008.1.2.7.1", None), // live video
            ("1.2.840.10008.1.20", None),    // Papyrus
            ("1.2.3", None),
        ] {
            assert_eq!(encoding(uid), expected, "{uid}");
        }
    }
}
