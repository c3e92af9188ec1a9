//! Section 4.

use super::markdown::Document;

pub(super) fn write(d: &mut Document) {
    d.heading("4", "Implementation Model");
    d.heading("4.1", "Application Entities and Data Flow");
    d.drawing(
        "modality, PACS ── C-STORE, C-ECHO ──▶ Receiving AE ──▶ job ──▶ bucket (container)
                                      one title per bucket               │
                                                                         ▼
remote AE ◀────────── C-STORE ─────────── Sending AE ◀── routes ◀── result",
    );
    d.heading(
        "4.1.1",
        "Functional Definition of the Receiving Application Entity",
    );
    d.text(
        "One port serves all buckets: every installed bucket answers to its own AE title there, and the called AE title \
         decides whose job an object becomes. An object is answered with Success when it is on disk and in the job store \
         (6.1, `durability`), never before. A set of objects is complete when it has been quiet for a while, or at the \
         latest after a cap; then its job is queued, and what comes later makes a new job.",
    );
    d.heading("4.1.2", "Functional Definition of the Sending Application Entity");
    d.text(
        "When a job is over, routes decide to which remote AEs its output (or its input) goes. Each delivery opens an \
         association of its own, and is tried again on a schedule until it is answered or given up (6.2.5).",
    );
    d.heading("4.1.3", "Sequencing of Real-World Activities");
    d.text(
        "1. An object arrives; its UIDs are read while it is written, and it is answered.\n\
         2. The set is quiet: its job is queued and runs in its turn.\n\
         3. The bucket ends: its result is kept and the routes are applied.\n\
         4. Each delivery is sent; the last one settles the job.",
    );
    d.text("No order of objects is expected, and the end of an association means nothing but its end (PS3.4 §B.4).");
}
