//! Creating containers: the fixed rules and what a specification adds to them.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    ResourcesUlimits,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::Docker;
use super::lifecycle::whole_seconds;
use crate::container::{Bind, Created, Error, Network, Resources, Result, RunSpec};

/// What root of an image keeps of its power: writing what is not its own, and giving files away, as unpacking
/// archives does.
const CAPABILITIES: [&str; 3] = ["DAC_OVERRIDE", "CHOWN", "FOWNER"];

/// The engine's own log of a container, in pieces of 5 MB, two at most. The job's log is written elsewhere
/// while the container runs; this one is for what was printed while nobody followed. The driver `json-file`
/// would take twice the space and has no bound unless told.
const LOG_PIECE: &str = "5m";
const LOG_PIECES: &str = "2";

pub(super) async fn create(docker: &Docker, spec: &RunSpec) -> Result<Created> {
    docker
        .patiently(|| create_from(docker, &spec.name, body(spec)))
        .await
}

/// Creates a container under a name, or finds that the name is taken.
pub(super) async fn create_from(docker: &Docker, name: &str, body: ContainerCreateBody) -> Result<Created> {
    let reference = body.image.clone().unwrap_or_default();
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    let action = format!("create container {name:?}");
    match docker
        .ask(&action, docker.client.create_container(Some(options), body))
        .await
    {
        Ok(made) => {
            for warning in made.warnings {
                tracing::warn!(container = name, "the container engine warns: {warning}");
            }
            Ok(Created::New)
        }
        Err(Error::Refused { status: 404, .. }) => Err(Error::NoSuchImage { reference }),
        Err(Error::Refused {
            status: 409, message, ..
        }) if message.contains("in use") => Ok(Created::Exists),
        Err(error) => Err(error),
    }
}

/// The request that makes a container of a specification.
fn body(spec: &RunSpec) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.image.to_string()),
        entrypoint: Some(spec.entrypoint.clone()),
        cmd: Some(spec.command.clone()),
        env: Some(
            spec.env
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        labels: Some(spec.labels.clone().into_iter().collect()),
        user: spec.user.clone(),
        stop_timeout: Some(i64::from(whole_seconds(spec.stop_grace))),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        host_config: Some(HostConfig {
            mounts: Some(spec.binds.iter().map(mount).collect()),
            network_mode: Some(network(spec.network).to_owned()),
            readonly_rootfs: Some(spec.read_only_root),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(
                [
                    CAPABILITIES.map(str::to_owned).to_vec(),
                    spec.capabilities.clone(),
                ]
                .concat(),
            ),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            // Reaps orphans, and makes a script end at SIGTERM that would ignore it as process 1.
            init: Some(true),
            log_config: Some(log_config()),
            ulimits: Some(vec![ResourcesUlimits {
                name: Some("core".to_owned()),
                soft: Some(0),
                hard: Some(0),
            }]),
            device_requests: (!spec.gpus.is_empty()).then(|| gpus(&spec.gpus)),
            auto_remove: Some(false),
            ..limits(&spec.resources)
        }),
        ..ContainerCreateBody::default()
    }
}

fn limits(resources: &Resources) -> HostConfig {
    let memory = bytes(resources.memory_bytes);
    HostConfig {
        nano_cpus: Some(nano_cpus(resources.cpus)),
        memory: Some(memory),
        // The sum of memory and swap: no swap.
        memory_swap: Some(memory),
        shm_size: Some(bytes(resources.shm_bytes)),
        pids_limit: Some(i64::from(resources.pids_limit)),
        tmpfs: (resources.tmp_bytes > 0).then(|| {
            // A tmpfs is noexec unless told otherwise, and unpacked tools run from /tmp.
            HashMap::from([(
                "/tmp".to_owned(),
                format!("exec,mode=1777,size={}", resources.tmp_bytes),
            )])
        }),
        ..HostConfig::default()
    }
}

/// What `docker run --gpus` and `docker run --device` ask for. CDI names go to that driver. For any other name the engine
/// takes the driver that calls itself able to give GPUs: the NVIDIA Container Toolkit's, whatever its name there.
fn gpus(names: &[String]) -> Vec<DeviceRequest> {
    let (cdi, plain): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| name.contains('='));
    let request = |driver: Option<&str>, device_ids: Vec<String>, capabilities| DeviceRequest {
        driver: driver.map(str::to_owned),
        device_ids: Some(device_ids),
        capabilities,
        ..DeviceRequest::default()
    };
    [
        request(Some("cdi"), cdi, None),
        request(None, plain, Some(vec![vec!["gpu".to_owned()]])),
    ]
    .into_iter()
    .filter(|request| request.device_ids.as_ref().is_some_and(|ids| !ids.is_empty()))
    .collect()
}

/// A mount and not a bind of the old form `source:target:ro`, which takes no colons and makes a source that
/// does not exist.
pub(super) fn mount(bind: &Bind) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(bind.source.to_string_lossy().into_owned()),
        target: Some(bind.target.clone()),
        read_only: Some(bind.read_only),
        ..Mount::default()
    }
}

pub(super) fn log_config() -> HostConfigLogConfig {
    let options = [("max-size", LOG_PIECE), ("max-file", LOG_PIECES)];
    HostConfigLogConfig {
        typ: Some("local".to_owned()),
        config: Some(
            options
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        ),
    }
}

fn network(network: Network) -> &'static str {
    match network {
        Network::None => "none",
        Network::Bridge => "bridge",
    }
}

fn bytes(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// CPUs as the engine counts them; a conversion of floats saturates, so nonsense is refused by the engine and
/// not here.
fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 1e9).round() as i64
}
