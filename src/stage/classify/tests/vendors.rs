//! What each vendor's headers say, as their conformance statements have it.

use super::*;

/// The types that say what was imaged, without vendor, modality and orientation.
fn kinds(object: &[(u32, &str)]) -> Vec<String> {
    let mut attributes = Attributes::default();
    attributes.insert(0x0008_0060, Value::Texts(vec!["MR".into()]));
    attributes.insert(
        0x0008_0008,
        Value::Texts(vec!["ORIGINAL".into(), "PRIMARY".into(), "OTHER".into()]),
    );
    for (tag, text) in object {
        let texts = text.split('\\').map(str::to_owned).collect();
        attributes.insert(*tag, Value::Texts(texts));
    }
    let mut types = types_of(&[attributes]);
    types.retain(|t| ["T1", "T2", "FLAIR", "DWI", "fMRI", "MRA", "localizer"].contains(&t.as_str()));
    types
}

const TYPE: u32 = 0x0008_0008;
const MAKER: u32 = 0x0008_0070;
const NAME: u32 = 0x0008_103E;
const SEQUENCE: u32 = 0x0018_0020;
const VARIANT: u32 = 0x0018_0021;
const DIMENSIONS: u32 = 0x0018_0023;
const SEQUENCE_NAME: u32 = 0x0018_0024;
const ANGIO: u32 = 0x0018_0025;
const TR: u32 = 0x0018_0080;
const TE: u32 = 0x0018_0081;
const TI: u32 = 0x0018_0082;
const FLIP: u32 = 0x0018_1314;
const CONTRAST: u32 = 0x0008_9209;
const B_VALUE: u32 = 0x0018_9087;
const TECHNIQUE: u32 = 0x2001_1020;

#[test]
fn what_each_vendor_sends_is_told_by_its_header() {
    const GE: &str = "GE MEDICAL SYSTEMS";
    const SIEMENS: &str = "SIEMENS";
    const PHILIPS: &str = "Philips Medical Systems";
    const UIH: &str = "UIH";
    const CANON: &str = "CANON_MEC";
    let cases: &[(&str, &[(u32, &str)])] = &[
        (
            "T1",
            &[
                (MAKER, GE),
                (SEQUENCE, "GR"),
                (VARIANT, "SS\\SP\\SK"),
                (DIMENSIONS, "3D"),
                (TR, "7.38"),
                (TE, "2.984"),
                (TI, "400"),
                (FLIP, "11"),
                (ANGIO, "N"),
            ],
        ),
        (
            "T1",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "GR\\IR"),
                (VARIANT, "SK\\SP\\MP"),
                (DIMENSIONS, "3D"),
                (SEQUENCE_NAME, "*tfl3d1_ns"),
                (TR, "2300"),
                (TE, "2.98"),
                (TI, "900"),
                (FLIP, "9"),
            ],
        ),
        (
            "T1",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "SE"),
                (VARIANT, "SP\\OSP"),
                (DIMENSIONS, "2D"),
                (TR, "550"),
                (TE, "12"),
            ],
        ),
        (
            "T1",
            &[
                (MAKER, PHILIPS),
                (SEQUENCE, "GR"),
                (VARIANT, "MP"),
                (DIMENSIONS, "3D"),
                (TECHNIQUE, "T1TFE"),
                (TR, "8.1"),
                (TE, "3.7"),
                (FLIP, "8"),
            ],
        ),
        (
            "T1",
            &[
                (MAKER, UIH),
                (SEQUENCE, "GR\\IR"),
                (VARIANT, "SP\\MP"),
                (DIMENSIONS, "3D"),
                (TR, "7.2"),
                (TE, "3.1"),
                (TI, "750"),
                (FLIP, "10"),
            ],
        ),
        (
            "T1",
            &[
                (MAKER, CANON),
                (SEQUENCE, "GR"),
                (VARIANT, "SP"),
                (DIMENSIONS, "3D"),
                (TR, "9"),
                (TE, "3.2"),
                (FLIP, "12"),
            ],
        ),
        (
            "T2",
            &[
                (MAKER, GE),
                (SEQUENCE, "SE"),
                (VARIANT, "SK"),
                (DIMENSIONS, "2D"),
                (TR, "4500"),
                (TE, "102"),
            ],
        ),
        (
            "T2",
            &[
                (MAKER, GE),
                (SEQUENCE, "RM"),
                (DIMENSIONS, "3D"),
                (0x0019_109C, "CubeT2"),
                (TR, "2500"),
                (TE, "70"),
            ],
        ),
        (
            "T2",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "SE"),
                (VARIANT, "SK\\SP\\OSP"),
                (SEQUENCE_NAME, "*tse2d1_16"),
                (TR, "5000"),
                (TE, "93"),
            ],
        ),
        (
            "T2",
            &[
                (MAKER, PHILIPS),
                (SEQUENCE, "SE"),
                (TECHNIQUE, "TSE"),
                (TR, "3000"),
                (TE, "80"),
            ],
        ),
        (
            "T2",
            &[(MAKER, CANON), (SEQUENCE, "SE"), (TR, "4000"), (TE, "100")],
        ),
        (
            "FLAIR",
            &[
                (MAKER, GE),
                (SEQUENCE, "SE\\IR"),
                (TR, "9500"),
                (TE, "120"),
                (TI, "2250"),
            ],
        ),
        (
            "FLAIR",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "SE\\IR"),
                (SEQUENCE_NAME, "*spcir_278ns"),
                (TR, "5000"),
                (TE, "388"),
                (TI, "1800"),
            ],
        ),
        (
            "FLAIR",
            &[
                (MAKER, PHILIPS),
                (SEQUENCE, "IR"),
                (TECHNIQUE, "TIR"),
                (TR, "11000"),
                (TE, "125"),
                (TI, "2800"),
            ],
        ),
        (
            "FLAIR",
            &[
                (MAKER, UIH),
                (SEQUENCE, "SE\\IR"),
                (TR, "8000"),
                (TE, "100"),
                (TI, "2400"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, GE),
                (SEQUENCE, "EP\\SE"),
                (TR, "8000"),
                (TE, "80"),
                (0x0043_1039, "1000000800\\8\\0\\0"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, SIEMENS),
                (TYPE, "ORIGINAL\\PRIMARY\\DIFFUSION\\NONE\\ND\\MOSAIC"),
                (SEQUENCE, "EP"),
                (SEQUENCE_NAME, "*ep_b1000#12"),
                (TR, "8000"),
                (TE, "89"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "EP"),
                (0x0019_100C, "1000"),
                (TR, "8000"),
                (TE, "89"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, PHILIPS),
                (SEQUENCE, "SE"),
                (TECHNIQUE, "DwiSE"),
                (0x2001_1003, "1000"),
                (TR, "7000"),
                (TE, "80"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, UIH),
                (SEQUENCE, "EP\\SE"),
                (0x0065_1009, "1000"),
                (TR, "6000"),
                (TE, "75"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, "TOSHIBA_MEC"),
                (SEQUENCE, "SE\\EP"),
                (B_VALUE, "1500"),
                (TR, "6000"),
                (TE, "75"),
            ],
        ),
        (
            "DWI",
            &[
                (MAKER, CANON),
                (SEQUENCE, "SE\\EP"),
                (0x0020_4000, "b=1500(0.445,0.000,0.895)"),
                (TR, "6000"),
                (TE, "75"),
            ],
        ),
        (
            "fMRI",
            &[
                (MAKER, GE),
                (SEQUENCE, "EP\\GR"),
                (VARIANT, "SS"),
                (TR, "2000"),
                (TE, "30"),
                (0x0043_1039, "0\\0\\0\\0"),
            ],
        ),
        (
            "fMRI",
            &[
                (MAKER, SIEMENS),
                (TYPE, "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"),
                (SEQUENCE, "EP"),
                (SEQUENCE_NAME, "*epfid2d1_64"),
                (TR, "3000"),
                (TE, "30"),
            ],
        ),
        (
            "fMRI",
            &[
                (MAKER, PHILIPS),
                (SEQUENCE, "GR"),
                (TECHNIQUE, "FEEPI"),
                (TR, "2000"),
                (TE, "30"),
            ],
        ),
        (
            "fMRI",
            &[
                (MAKER, UIH),
                (SEQUENCE, "EP\\GR"),
                (SEQUENCE_NAME, "epi_fid"),
                (TR, "2000"),
                (TE, "30"),
            ],
        ),
        (
            "MRA",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "GR"),
                (VARIANT, "SP"),
                (DIMENSIONS, "3D"),
                (SEQUENCE_NAME, "*fl3d1r_t70"),
                (ANGIO, "Y"),
                (TR, "22"),
                (TE, "3.6"),
                (FLIP, "18"),
            ],
        ),
        (
            "MRA",
            &[
                (MAKER, GE),
                (SEQUENCE, "GR"),
                (VARIANT, "SP"),
                (DIMENSIONS, "3D"),
                (ANGIO, "Y"),
                (TR, "25"),
                (TE, "2.7"),
                (FLIP, "20"),
            ],
        ),
        (
            "localizer",
            &[
                (MAKER, SIEMENS),
                (SEQUENCE, "GR"),
                (VARIANT, "SP\\OSP"),
                (DIMENSIONS, "2D"),
                (NAME, "localizer"),
                (TR, "8.6"),
                (TE, "4"),
                (FLIP, "20"),
            ],
        ),
        (
            "localizer",
            &[
                (MAKER, PHILIPS),
                (SEQUENCE, "GR"),
                (TECHNIQUE, "T1TFE"),
                (NAME, "Survey_32ch_HeadCoil"),
                (TR, "11"),
                (TE, "4.6"),
                (DIMENSIONS, "2D"),
            ],
        ),
        (
            "localizer",
            &[
                (MAKER, GE),
                (SEQUENCE, "SE"),
                (NAME, "3 Plane Loc SSFSE"),
                (TR, "1400"),
                (TE, "80"),
            ],
        ),
        // Enhanced objects say it themselves.
        ("T1", &[(MAKER, PHILIPS), (CONTRAST, "T1"), (TE, "3.4")]),
        ("T2", &[(MAKER, CANON), (CONTRAST, "T2"), (TE, "100")]),
        (
            "FLAIR",
            &[(MAKER, SIEMENS), (CONTRAST, "FLUID_ATTENUATED"), (TE, "100")],
        ),
        ("DWI", &[(MAKER, SIEMENS), (CONTRAST, "DIFFUSION"), (TE, "80")]),
        ("MRA", &[(MAKER, UIH), (CONTRAST, "TOF"), (TE, "3.5")]),
    ];
    for (kind, header) in cases {
        assert_eq!(kinds(header), [*kind], "{header:?}");
    }
}

#[test]
fn what_is_neither_is_not_taken_for_one() {
    let cases: &[&[(u32, &str)]] = &[
        // Proton density, a short inversion that nulls fat, contrast agent passing, a map that was computed, susceptibility.
        &[
            (MAKER, "GE MEDICAL SYSTEMS"),
            (SEQUENCE, "SE"),
            (TR, "2500"),
            (TE, "15"),
        ],
        &[
            (MAKER, "SIEMENS"),
            (SEQUENCE, "SE\\IR"),
            (TR, "4000"),
            (TE, "60"),
            (TI, "170"),
        ],
        &[
            (MAKER, "SIEMENS"),
            (SEQUENCE, "EP"),
            (SEQUENCE_NAME, "*epfid2d1_128"),
            (TR, "1500"),
            (TE, "30"),
            (0x0018_0010, "Gadovist"),
        ],
        &[
            (MAKER, "SIEMENS"),
            (TYPE, "DERIVED\\PRIMARY\\DIFFUSION\\ADC\\NORM"),
            (SEQUENCE, "EP"),
            (TR, "8000"),
            (TE, "89"),
        ],
        &[
            (MAKER, "SIEMENS"),
            (SEQUENCE, "GR"),
            (VARIANT, "SP"),
            (DIMENSIONS, "3D"),
            (TR, "28"),
            (TE, "20"),
            (FLIP, "15"),
        ],
        &[],
    ];
    for header in cases {
        assert_eq!(kinds(header), [""; 0], "{header:?}");
    }
}
