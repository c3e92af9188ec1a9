//! What the engine knows about containers.

use std::collections::HashMap;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummaryStateEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Docker;
use crate::container::{ContainerState, ContainerSummary, Error, Labels, Result, Status};

/// Asks once for the state of a container.
pub(super) async fn inspect(docker: &Docker, name: &str) -> Result<Option<ContainerState>> {
    let action = format!("inspect container {name:?}");
    match docker
        .ask(&action, docker.client.inspect_container(name, None))
        .await
    {
        Ok(answer) => state(answer).map(Some),
        Err(Error::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Asks once for the containers that carry all of `labels`.
pub(super) async fn list(docker: &Docker, labels: &Labels) -> Result<Vec<ContainerSummary>> {
    let wanted = |(name, value): (&String, &String)| {
        if value.is_empty() {
            name.clone()
        } else {
            format!("{name}={value}")
        }
    };
    let filters = HashMap::from([("label", labels.iter().map(wanted).collect::<Vec<_>>())]);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&filters)
        .build();
    let answer = docker
        .ask("list containers", docker.client.list_containers(Some(options)))
        .await?;
    Ok(answer
        .into_iter()
        .map(|container| ContainerSummary {
            name: container
                .names
                .unwrap_or_default()
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            id: container.id.unwrap_or_default(),
            labels: container.labels.unwrap_or_default().into_iter().collect(),
            status: container.state.map_or(Status::Dead, listed_status),
        })
        .collect())
}

fn state(answer: ContainerInspectResponse) -> Result<ContainerState> {
    let state = answer.state.unwrap_or_default();
    let status = state.status.map_or(Status::Dead, status);
    let has_ended = matches!(status, Status::Exited | Status::Dead);
    let started_at = state.started_at.as_deref().and_then(timestamp);
    let finished_at = state.finished_at.as_deref().and_then(timestamp);
    Ok(ContainerState {
        status,
        exit_status: state.exit_code.filter(|_| has_ended),
        oom_killed: state.oom_killed.unwrap_or(false),
        started_at,
        // The start is noted a little late, after the end even of what ended at once.
        finished_at: finished_at.max(started_at.filter(|_| finished_at.is_some())),
        error: state.error.filter(|text| !text.is_empty()),
        labels: answer
            .config
            .and_then(|config| config.labels)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        image: answer.image.unwrap_or_default().parse()?,
        engine_was_away: false,
    })
}

fn status(status: ContainerStateStatusEnum) -> Status {
    match status {
        ContainerStateStatusEnum::CREATED => Status::Created,
        // Podman's word for between SIGTERM and the end.
        ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING => Status::Running,
        ContainerStateStatusEnum::PAUSED => Status::Paused,
        ContainerStateStatusEnum::RESTARTING => Status::Restarting,
        ContainerStateStatusEnum::REMOVING => Status::Removing,
        ContainerStateStatusEnum::EXITED => Status::Exited,
        ContainerStateStatusEnum::DEAD | ContainerStateStatusEnum::EMPTY => Status::Dead,
    }
}

fn listed_status(status: ContainerSummaryStateEnum) -> Status {
    match status {
        ContainerSummaryStateEnum::CREATED => Status::Created,
        ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING => Status::Running,
        ContainerSummaryStateEnum::PAUSED => Status::Paused,
        ContainerSummaryStateEnum::RESTARTING => Status::Restarting,
        ContainerSummaryStateEnum::REMOVING => Status::Removing,
        ContainerSummaryStateEnum::EXITED => Status::Exited,
        ContainerSummaryStateEnum::DEAD | ContainerSummaryStateEnum::EMPTY => Status::Dead,
    }
}

/// A time as the engine writes it. Year 1 is its word for never.
pub(super) fn timestamp(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .filter(|time| time.year() > 1)
}
