//! The table of everything Larder publishes: the one source of names, types, labels and help.

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Grows from 0 at the start of the process; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bounds; its name ends in `_seconds`.
    Histogram,
}

/// One row of [`METRICS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Unique, snake case, its last word the unit; `larder_…`, or `process_…` for what every process has
    /// under that name.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: MetricKind,
    /// Names of the labels, in the order in which a sample gives their values.
    pub labels: &'static [&'static str],
    /// One sentence for the reader of the metrics page.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal $labels:tt $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric {
                name: $name,
                kind: MetricKind::$kind,
                labels: &$labels,
                help: $help,
            };
        )*

        /// Every metric of Larder; a scrape has each exactly once.
        pub const METRICS: &[Metric] = &[$($id),*];
    };
}

metrics! {
    HITS: Counter "larder_hits_total" ["tenant"]
        "Reads that found a live entry.";
    MISSES: Counter "larder_misses_total" ["tenant"]
        "Reads that found no live entry.";
    INSERTS: Counter "larder_inserts_total" ["tenant"]
        "Entries that were new when they were written.";
    UPDATES: Counter "larder_updates_total" ["tenant"]
        "Entries that were overwritten or changed in place.";
    EVICTIONS: Counter "larder_evictions_total" ["tenant", "chosen_by"]
        "Entries removed to make room, by who chose them: the eviction policy or the native fallback.";
    REFUSED: Counter "larder_refused_writes_total" ["tenant"]
        "Writes refused because they were too large or no room could be made.";
    EXPIRED: Counter "larder_expired_total" ["tenant"]
        "Entries removed because their time to live had passed.";
    INVALIDATIONS: Counter "larder_invalidations_total" ["tenant", "kind"]
        "Orders to remove many entries at once, by what names them: tag, prefix, tenant.";
    INVALIDATED: Counter "larder_invalidated_total" ["tenant"]
        "Entries removed because a tag of theirs, or what their key begins with, was invalidated.";
    TAGS: Gauge "larder_invalidated_tags" ["tenant"]
        "Invalidated tags that are known.";
    TAG_FLOOR_RAISES: Counter "larder_tag_floor_raises_total" ["tenant"]
        "Times that invalidated tags were forgotten: entries with tags that were written before count as removed.";
    TAG_WRITE_ERRORS: Counter "larder_tag_write_errors_total" []
        "Times that invalidated tags could not be written to the data folder.";
    EVENTS_DROPPED: Counter "larder_events_dropped_total" ["tenant"]
        "Accesses that the eviction policy was not told of because its buffer was full.";
    WRONG_VICTIMS: Counter "larder_wrong_victims_total" ["tenant"]
        "Answers of the eviction policy that broke the rules: victims not there, named twice, too few.";
    REFUSED_NEWCOMERS: Counter "larder_refused_newcomers_total" ["tenant"]
        "New entries that the eviction policy did not think worth the room.";
    LEASES: Counter "larder_leases_total" ["tenant"]
        "Leases that were given to clients who missed a key, to make its value.";
    LEASES_OVER: Counter "larder_leases_over_total" ["tenant"]
        "Writes refused because the lease by which they were made was over.";
    WARM_KEYS: Counter "larder_warm_keys_total" ["tenant", "result"]
        "Keys that were to be in memory before anybody reads them, by result: resident, loaded, absent or failed.";
    UNFIT_SHARDS: Gauge "larder_unfit_shards" ["tenant"]
        "Shards whose eviction policy failed, where the native fallback stands in.";
    POLICY_STATES: Gauge "larder_policy_info" ["policy", "runtime", "kinds", "tenant", "state"]
        "Always 1; the labels say how the policy stands.";
    POLICY_CALLS: Counter "larder_policy_calls_total" ["policy"]
        "Calls into the policy.";
    POLICY_EVENTS: Counter "larder_policy_events_total" ["policy"]
        "Events delivered to the policy.";
    POLICY_CALL_TIME: Counter "larder_policy_call_nanoseconds_total" ["policy"]
        "Time that calls into the policy took, estimated from samples.";
    POLICY_CALL_SECONDS: Histogram "larder_policy_call_seconds" ["policy"]
        "How long calls into the policy took, those that were timed: one in some.";
    POLICY_OFFENCES: Counter "larder_policy_offences_total" ["policy", "kind"]
        "Times the policy broke a rule, by kind: trap, deadline or answer.";
    POLICY_REFUSED_VALUES: Counter "larder_policy_refused_values_total" ["policy"]
        "Values that the policy did not let in.";
    POLICY_INSTANCES: Gauge "larder_policy_instances" ["policy"]
        "Instances of the policy that live.";
    POLICY_MEMORY: Gauge "larder_policy_memory_bytes" ["policy"]
        "Linear memory of the policy's instances.";
    POLICY_LOG_LINES: Counter "larder_policy_log_lines_total" ["policy", "fate"]
        "Lines the policy wrote to the log, by fate: written, or dropped because there were too many.";
    ENTRIES: Gauge "larder_entries" ["tenant"]
        "Entries held.";
    TTL_ENTRIES: Gauge "larder_ttl_entries" ["tenant"]
        "Entries held that have a time to live.";
    STALE_ENTRIES: Gauge "larder_stale_entries" ["tenant"]
        "Entries held that have expired and are kept for clients who ask for stale values.";
    USED_BYTES: Gauge "larder_used_bytes" ["tenant"]
        "Memory counted against the budget, as the allocator hands it out.";
    DATA_BYTES: Gauge "larder_data_bytes" ["tenant"]
        "Keys and values alone.";
    BUDGET_BYTES: Gauge "larder_budget_bytes" ["tenant"]
        "What may be used at the moment: the share, lowered while the process is over its memory.";
    TENANT_MEMORY_BYTES: Gauge "larder_tenant_memory_bytes" ["tenant"]
        "The share of the memory, as configured or as CONFIG SET maxmemory said.";
    EVICTOR_BYTES: Gauge "larder_evictor_bytes" ["tenant"]
        "Memory of the eviction policy's own records.";
    MEMORY_BYTES: Gauge "larder_memory_limit_bytes" []
        "Memory for all tenants together, as configured.";
    RESIDENT_BYTES: Gauge "larder_resident_bytes" []
        "Memory of the process that is resident, as the operating system counts it.";
    CLIENTS: Gauge "larder_connected_clients" []
        "Connections open at the moment.";
    CLIENTS_BY_KIND: Gauge "larder_clients" ["kind"]
        "Connections of the Redis protocol open at the moment, by what they come over: tcp, tls or unix.";
    CLIENTS_ACCEPTED: Counter "larder_clients_accepted_total" []
        "Connections taken.";
    CLIENTS_REJECTED: Counter "larder_clients_rejected_total" []
        "Connections turned away because clients_max were open.";
    CLIENTS_CLOSED: Counter "larder_clients_closed_total" ["reason"]
        "Connections that the server closed, by reason: timeout, limit, protocol or fault.";
    TENANT_CLIENTS: Gauge "larder_tenant_clients" ["tenant"]
        "Connections that speak for users of the tenant.";
    THROTTLED: Counter "larder_throttled_total" ["tenant"]
        "Times a connection was delayed because the tenant had used up its requests.";
    THROTTLED_TIME: Counter "larder_throttled_milliseconds_total" ["tenant"]
        "Time that connections were delayed because the tenant had used up its requests.";
    SIGN_INS: Counter "larder_sign_ins_total" []
        "Right passwords.";
    AUTH_FAILURES: Counter "larder_auth_failures_total" []
        "Wrong passwords.";
    LOCK_OUTS: Counter "larder_lock_outs_total" []
        "Times an address was locked out for its wrong passwords.";
    DENIED: Counter "larder_denied_total" ["reason"]
        "Requests denied, by reason: unauthenticated, command, key or channel.";
    TLS_HANDSHAKES: Counter "larder_tls_handshakes_total" ["result"]
        "Connections to ports of TLS, by result: done, failed, unfinished, plaintext or crowded.";
    TLS_RELOADS: Counter "larder_tls_reloads_total" ["result"]
        "Times the files of the certificate changed, by result: taken or refused.";
    TLS_NOT_AFTER: Gauge "larder_tls_certificate_not_after_seconds" []
        "When the certificate in force ends, in seconds since 1970; 0 without TLS.";
    CLIENT_BUFFERS: Gauge "larder_client_buffers_bytes" []
        "Unfinished requests and waiting replies of all connections.";
    CLIENTS_MAX: Gauge "larder_limit_clients" []
        "Connections that may be open.";
    CLIENT_BUFFERS_MAX: Gauge "larder_client_buffers_limit_bytes" []
        "What unfinished requests and waiting replies may take together.";
    COMMAND_SECONDS: Histogram "larder_command_seconds" ["operation"]
        "How long commands took, by what they do: get, set, del, read, write or other. Brief ones that came together share their time evenly.";
    COMMANDS_FAILED: Counter "larder_commands_failed_total" ["operation"]
        "Commands that were carried out and answered with an error.";
    COMMANDS_REJECTED: Counter "larder_commands_rejected_total" ["operation"]
        "Commands that were refused before they were carried out.";
    SECRETS_UNSEALED: Counter "larder_secrets_unsealed_total" []
        "Values that a policy found to be secrets and that were kept as they are, as there is no key ring.";
    SLOW_COMMANDS: Counter "larder_slow_commands_total" []
        "Commands that were noted in a slow log.";
    COMMANDS: Counter "larder_commands_total" []
        "Commands carried out, those answered with an error included.";
    ERROR_REPLIES: Counter "larder_error_replies_total" ["code"]
        "Error replies, by their first word.";
    INPUT_BYTES: Counter "larder_input_bytes_total" []
        "Bytes read from clients.";
    OUTPUT_BYTES: Counter "larder_output_bytes_total" []
        "Bytes written to clients.";
    PROTOCOL_ERRORS: Counter "larder_protocol_errors_total" []
        "Connections closed because what they sent was not the Redis protocol.";
    HTTP_CLIENTS: Gauge "larder_http_clients" []
        "Connections of HTTP open at the moment.";
    HTTP_RESPONSES: Counter "larder_http_responses_total" ["class"]
        "Responses over HTTP, by the class of their status: 2xx, 3xx, 4xx or 5xx.";
    HTTP_REFUSED: Counter "larder_http_refused_total" []
        "Requests over HTTP that a page of another site made a browser send.";
    HTTP_INPUT_BYTES: Counter "larder_http_input_bytes_total" []
        "Bytes read over HTTP.";
    HTTP_OUTPUT_BYTES: Counter "larder_http_output_bytes_total" []
        "Bytes written over HTTP.";
    MAINTENANCE_ROUNDS: Counter "larder_maintenance_rounds_total" []
        "Rounds of maintenance: expiry, eviction ahead of need, the governor.";
    MAINTENANCE_TIME: Counter "larder_maintenance_seconds_total" []
        "Time that rounds of maintenance took.";
    MAINTENANCE_LAG: Gauge "larder_maintenance_lag_seconds" []
        "Time since the last round of maintenance ended; a hundredth of a second is usual.";
    SCRIPTS: Counter "larder_scripts_total" ["tenant"]
        "Runs of scripts.";
    SCRIPTS_FAILED: Counter "larder_scripts_failed_total" ["tenant"]
        "Runs of scripts that were answered with an error.";
    SCRIPT_TIME: Counter "larder_script_seconds_total" ["tenant"]
        "Time that scripts took, their commands included.";
    SCRIPT_MEMORY: Gauge "larder_script_memory_bytes" ["tenant"]
        "Memory of the Lua states.";
    SCRIPT_ENTRIES: Gauge "larder_script_entries" ["tenant"]
        "Scripts that can be called by their SHA-1.";
    TRACKING_CLIENTS: Gauge "larder_tracking_clients" ["tenant"]
        "Connections that keep values of their own and are told of changes.";
    TRACKING_KEYS: Gauge "larder_tracked_entries" ["tenant"]
        "Keys that connections have read which keep values of their own, and are told of when they change.";
    TRACKING_MESSAGES: Counter "larder_tracking_messages_total" ["tenant"]
        "Messages that told connections which keep values of their own of changes.";
    TIER_ENTRIES: Gauge "larder_tier_entries" ["tier"]
        "Entries that a level below the memory holds.";
    TIER_USED: Gauge "larder_tier_used_bytes" ["tier"]
        "What its entries take there.";
    TIER_MAX: Gauge "larder_tier_limit_bytes" ["tier"]
        "What they may take.";
    TIER_INDEX: Gauge "larder_tier_index_bytes" ["tier"]
        "Memory that finding them takes, beside that of the entries in memory.";
    TIER_QUEUED: Gauge "larder_tier_queued_bytes" ["tier"]
        "Changes that wait to be written to it.";
    TIER_TROUBLE: Gauge "larder_tier_trouble_info" ["tier"]
        "1 while it does nothing, 0 while all is well.";
    TIER_CIRCUIT: Gauge "larder_tier_breaker_info" ["tier", "of", "state"]
        "1, by whether reads or writes are tried there: closed (they are), half-open (a few are), open (they are not).";
    TIER_OPENED: Counter "larder_tier_breaker_opened_total" ["tier", "of"]
        "How often reads or writes were not tried any more, as they had failed again and again.";
    TIER_RETRIES: Counter "larder_tier_retries_total" ["tier", "of"]
        "Reads, and rounds of changes, that were tried again because they had failed.";
    TIER_REJECTED: Counter "larder_tier_rejected_total" ["tier", "reason"]
        "Looks that did not ask it: its breaker is open, or too many reads wait for it (crowded).";
    TIER_DEFERRED: Counter "larder_tier_deferred_total" ["tier"]
        "Changes that nobody waited for, as it was away; they are written when it is back.";
    TIER_SHED: Counter "larder_tier_shed_total" ["tier", "class"]
        "Values that did not go there for want of room on the way: demotion, load, behind, oldest.";
    TIER_COLLAPSES: Counter "larder_tier_collapses_total" ["tier"]
        "How often a database was emptied there, as more changes of it waited than may.";
    PREDICTION: Gauge "larder_prediction_info" ["tenant", "state"]
        "Always 1; whether a model rules over what is fetched ahead: on or off. INFO prediction says why.";
    PREDICTION_FETCHED: Counter "larder_prediction_fetched_total" ["tenant"]
        "Entries that came into memory before anybody asked for them.";
    PREDICTION_USED: Counter "larder_prediction_used_total" ["tenant"]
        "Of those, entries that were asked for while they waited.";
    PREDICTION_WASTED: Counter "larder_prediction_wasted_total" ["tenant"]
        "Of those, entries that went before anybody asked for them, or were written over.";
    PREDICTION_ASKED: Counter "larder_prediction_asked_total" ["tenant"]
        "Reads that found nothing in memory but for what was fetched ahead, as far as they were looked at.";
    PREDICTION_PLANNED: Counter "larder_prediction_planned_total" ["tenant"]
        "Keys that were to be fetched.";
    PREDICTION_UNDONE: Counter "larder_prediction_undone_total" ["tenant", "reason"]
        "Of those, keys that did not come, by reason: needless (there already, or nowhere), changed, no_room, failed, paused (eight had failed one after another a moment before) or crowded.";
    PREDICTION_HEARD: Counter "larder_prediction_heard_total" ["tenant"]
        "Accesses that prediction looked at.";
    PREDICTION_UNHEARD: Counter "larder_prediction_unheard_total" ["tenant"]
        "Accesses that it was told of and did not look at, as there were too many; hits beyond predict.accesses_per_second are not told.";
    PREDICTION_TRAINED: Counter "larder_prediction_trainings_total" ["tenant"]
        "Models that were trained, or tried to.";
    PREDICTION_FAILED_TRAININGS: Counter "larder_prediction_failed_trainings_total" ["tenant"]
        "Trainings that came to no model: too little to learn from, or a fault. INFO prediction says why.";
    PREDICTION_BYTES: Gauge "larder_prediction_bytes" ["tenant"]
        "What was fetched ahead and nobody has asked for yet.";
    PREDICTION_TRAINING: Gauge "larder_prediction_training_seconds" ["tenant"]
        "What the last training took.";
    PREDICTION_AGE: Gauge "larder_prediction_model_age_seconds" ["tenant"]
        "How old the model is; 0 without one.";
    PREDICTION_MEMORY: Gauge "larder_prediction_memory_bytes" ["tenant"]
        "What prediction takes of memory at most, beside the entries.";
    TIER_HITS: Counter "larder_tier_hits_total" ["tier"]
        "Loads that found something there.";
    TIER_MISSES: Counter "larder_tier_misses_total" ["tier"]
        "Loads that found nothing there.";
    TIER_READ_ERRORS: Counter "larder_tier_read_errors_total" ["tier"]
        "Loads that failed there.";
    TIER_WRITES: Counter "larder_tier_writes_total" ["tier"]
        "Changes that were written to it.";
    TIER_WRITE_ERRORS: Counter "larder_tier_write_errors_total" ["tier"]
        "Changes that it did not do when it was handed them; those that it may do later are tried again.";
    TIER_EVICTIONS: Counter "larder_tier_evictions_total" ["tier"]
        "Entries that went there to make room.";
    TIER_PREFIXES: Gauge "larder_tier_prefixes" ["tier"]
        "Invalidated prefixes under which the tier may hold something that is not found any more.";
    TIER_DAMAGED: Counter "larder_tier_damaged_total" ["tier"]
        "Entries that could not be read as what was written.";
    TIER_OVERTAKEN: Counter "larder_tier_overtaken_total" ["tier"]
        "Changes that came there too late: another server had written something newer.";
    TIER_UNREPLICATED: Counter "larder_tier_unreplicated_total" ["tier"]
        "Changes that fewer replicas had in time than was asked for; the primary has them.";
    TIER_TOLD: Counter "larder_tier_messages_sent_total" ["tier"]
        "Messages to other servers that share what it holds, of what was changed.";
    TIER_HEARD: Counter "larder_tier_messages_heard_total" ["tier"]
        "Messages from them.";
    TIER_LOSSES: Counter "larder_tier_losses_total" ["tier"]
        "Times that a message of theirs may have been missed, after which entries in memory are asked for there anew.";
    TIER_DELAY: Gauge "larder_tier_message_delay_seconds" ["tier"]
        "What the last message took that this server sent to itself.";
    TIER_HOSTS: Gauge "larder_tier_other_servers_entries" ["tier"]
        "Other servers that share what it holds, and are heard.";
    TIER_DEAF: Gauge "larder_tier_deaf_info" ["tier"]
        "1 while nothing is heard of them though it should be, 0 else.";
    TIER_WRITTEN: Counter "larder_tier_written_bytes_total" ["tier"]
        "Bytes that were written to it, whatever for.";
    CODEC_RECORDS: Counter "larder_codec_records_total" ["type", "algorithm"]
        "Values that were given the form in which they leave the memory, by type (json, text, packed, binary: what they look like; declared: their client named another) and by how they were compressed.";
    CODEC_INPUT: Counter "larder_codec_input_bytes_total" ["type", "algorithm"]
        "What these values had, notes included.";
    CODEC_OUTPUT: Counter "larder_codec_output_bytes_total" ["type", "algorithm"]
        "What was left of that, headers and seals aside.";
    CODEC_LEFT_ALONE: Counter "larder_codec_uncompressed_total" ["reason"]
        "Values that were not compressed, by reason: off, small, resting (it did not pay lately) or in_vain.";
    CODEC_PACKED: Counter "larder_codec_memory_packed_total" []
        "Values that were compressed to stay in memory so.";
    CODEC_PACKED_INPUT: Counter "larder_codec_memory_packed_input_bytes_total" []
        "What these values had.";
    CODEC_PACKED_OUTPUT: Counter "larder_codec_memory_packed_output_bytes_total" []
        "What was left of that.";
    CODEC_SEALED: Counter "larder_codec_sealed_total" []
        "Values that were sealed.";
    CODEC_OPENED: Counter "larder_codec_opened_total" []
        "Sealed values that were opened.";
    CODEC_DAMAGED: Counter "larder_codec_damaged_total" ["kind"]
        "Values that could not be read, and counted as absent, by what was wrong with them.";
    CODEC_DICTIONARIES: Gauge "larder_codec_dictionary_entries" []
        "Dictionaries that values are compressed with, older ones that are still needed included.";
    CODEC_MEMORY: Gauge "larder_codec_memory_bytes" []
        "Memory of dictionaries and of the values that others are trained from.";
    CODEC_SURVEYS: Counter "larder_codec_surveys_total" []
        "Times that the second level was gone over: at the start where there is a key ring, when that changes, when dictionaries are replaced, and when a prefix was invalidated.";
    CODEC_SURVEY_LEFT: Gauge "larder_codec_survey_left_bytes" []
        "What is left to go over, while that goes on.";
    KEY_ENTRIES: Gauge "larder_key_entries" ["key", "state"]
        "Entries of the second level by the key that they are sealed under, as the last survey has left them; none until one has come to its end that began with the key ring as it is. The key is active, or opens what was sealed before; without an id, those whose key is gone from the key ring, and those open: not sealed.";
    KEY_RING_CHANGES: Counter "larder_key_ring_changes_total" ["result"]
        "Changes of the key ring's file that were taken, or refused because it was wrong.";
    TIER_PUT: Counter "larder_tier_put_bytes_total" ["tier"]
        "Of those, bytes of what it was told to keep.";
    HOOK_EVENTS: Counter "larder_hook_events_total" ["tenant", "hook", "result"]
        "Events of entries that went, by hook (those with a url, from 0 in their order) and what became of them: sent, or dropped for want of room or after the last attempt.";
    HOOK_FAILURES: Counter "larder_hook_failures_total" ["tenant", "hook"]
        "Times that the url of a hook did not take a batch of events.";
    HOOK_WAITING: Gauge "larder_hook_waiting_bytes" ["tenant", "hook"]
        "Bytes of events that wait to be sent to the url of a hook.";
    LOADER_VALUES: Counter "larder_loader_values_total" ["tenant", "loader"]
        "Loads that brought a value.";
    LOADER_BYTES: Counter "larder_loader_value_bytes_total" ["tenant", "loader"]
        "Bytes of those values.";
    LOADER_ABSENCES: Counter "larder_loader_absences_total" ["tenant", "loader"]
        "Loads that were told that there is no value.";
    LOADER_FAILURES: Counter "larder_loader_failures_total" ["tenant", "loader", "kind"]
        "Loads that failed, by kind: status, connection, timeout, too_large, crowded or refused.";
    LOADER_SECONDS: Histogram "larder_loader_seconds" ["tenant", "loader"]
        "How long loads took, waiting for others included.";
    LOADER_REFRESHES: Counter "larder_loader_refreshes_total" ["tenant", "loader", "reason"]
        "Values that were loaded anew while they were answered, by reason: early or stale.";
    LOADER_REFRESHES_DROPPED: Counter "larder_loader_refreshes_dropped_total" ["tenant", "loader"]
        "Values that were not loaded anew when they were due, as too many waited for that.";
    LOADER_IN_FLIGHT: Gauge "larder_loader_loads" ["tenant", "loader"]
        "Loads that go on at the moment.";
    LOADER_WAITING: Gauge "larder_loader_waiting_loads" ["tenant", "loader"]
        "Loads that wait for others to end.";
    NOTIFICATIONS_DROPPED: Counter "larder_notifications_dropped_total" ["tenant"]
        "Keyspace notifications that were dropped because too many waited.";
    SHARDS: Gauge "larder_shards" ["tenant"]
        "Shards of the tenant's store.";
    WORKERS: Gauge "larder_worker_threads" []
        "Threads that serve connections.";
    READY: Gauge "larder_ready_info" ["state"]
        "1 for the state the server is in: starting, ready, draining or failed.";
    PROCESS_CPU: Counter "process_cpu_seconds_total" []
        "User and system time that the process spent.";
    PROCESS_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Resident memory of the process.";
    PROCESS_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Address space of the process.";
    PROCESS_FDS: Gauge "process_open_fds" []
        "Open file descriptors.";
    PROCESS_FDS_MAX: Gauge "process_max_fds" []
        "File descriptors that may be open.";
    PROCESS_THREADS: Gauge "process_threads" []
        "Threads of the process.";
    PROCESS_START: Gauge "process_start_time_seconds" []
        "When the process started, in seconds since 1970.";
    BUILD: Gauge "larder_build_info" ["version"]
        "Always 1; the label is the version that runs.";
    UPTIME: Gauge "larder_uptime_seconds" []
        "Time since the start of the process.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const UNITS: &[&str] = &[
        "total",
        "bytes",
        "seconds",
        "entries",
        "tags",
        "prefixes",
        "clients",
        "loads",
        "info",
        "shards",
        "instances",
        "threads",
        "fds",
    ];

    #[test]
    fn names_are_unique_snake_case_and_end_in_a_unit() {
        let mut seen = HashSet::new();
        for Metric {
            name,
            kind,
            labels,
            help,
        } in METRICS
        {
            assert!(seen.insert(name), "{name} is there twice");
            assert!(
                name.starts_with("larder_") || name.starts_with("process_"),
                "{name}"
            );
            let lower = |text: &str| text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
            assert!(
                lower(name) && !name.contains("__"),
                "{name} is not snake case"
            );
            assert!(
                labels.iter().all(|label| lower(label)),
                "{name}: {labels:?}"
            );
            let unit = name.rsplit('_').next().unwrap();
            assert!(UNITS.contains(&unit), "{name} ends in no unit");
            assert_eq!(unit == "total", *kind == MetricKind::Counter, "{name}");
            assert!(
                unit == "seconds" || *kind != MetricKind::Histogram,
                "{name}"
            );
            assert!(help.ends_with('.'), "{name}: its help is no sentence");
        }
    }
}
