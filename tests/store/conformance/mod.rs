//! What every backend of the store promises. `conformance!(make)` runs all of it against the stores that
//! `make` makes: an async function that returns an empty store and a guard that keeps it alive. `keys_conformance!(make)`
//! does the same for the places where the ring of keys is kept.
//!
//! Backends whose tests need a server are in `tests/postgres`, which takes this folder, `fixtures.rs`, `people.rs` and
//! `model.rs` by `#[path]`.

pub(crate) mod accounts;
pub(crate) mod api_tokens;
pub(crate) mod challenges;
pub(crate) mod claims;
pub(crate) mod concurrency;
pub(crate) mod deliveries;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod logins;
pub(crate) mod memory;
pub(crate) mod scans;
pub(crate) mod sessions;
pub(crate) mod sign_ins;
pub(crate) mod streams;
pub(crate) mod wallets;
pub(crate) mod web_sign_ins;

/// Makes a test of every promise. One that is missing here is dead code, and clippy says so.
macro_rules! conformance {
    ($make:path) => {
        conformance! { $make;
            streams {
                a_store_that_can_be_written_says_so,
                events_are_numbered_from_one_without_gaps,
                a_page_tells_of_the_end_though_the_last_event_lies_beyond_it,
                a_stream_that_never_was_has_no_page_and_no_end,
                a_stream_ends_once,
                the_end_of_a_stream_is_the_end_of_its_handshake_and_challenges,
                a_stream_that_is_there_already_is_a_conflict,
                a_handshake_comes_back_as_it_was_opened,
            }
            scans {
                a_one_time_url_ends_with_its_scan,
                a_login_url_goes_on_with_its_challenge_and_ends_with_the_answer,
                a_static_url_serves_every_next_user,
                a_static_login_url_outlives_its_answers,
                a_replayed_scan_does_nothing,
                a_scan_that_finds_nothing_open_leaves_no_trace,
                a_scan_leaves_out_what_is_closed,
                a_scan_whose_challenge_is_taken_is_undone,
            }
            challenges {
                a_challenge_comes_back_as_it_was_opened,
                a_challenge_that_is_there_already_is_a_conflict,
                new_envelopes_join_the_old_ones_or_take_their_place_while_it_is_open,
                an_approval_teaches_whose_the_signing_key_is,
                a_refusal_teaches_nothing,
                an_answer_that_comes_twice_counts_once,
                whoever_was_asked_stays_counted_when_the_challenge_is_closed,
            }
            wallets {
                the_relays_of_the_last_scan_hold,
                subkeys_come_latest_first_and_the_longest_unseen_goes,
                a_subkey_belongs_to_one_user_only,
                a_subkey_shown_again_is_refreshed,
                until_when_a_key_signs_is_kept_with_it,
            }
            accounts {
                a_change_takes_the_place_of_the_revision_before_it,
                a_change_of_another_revision_does_nothing,
                of_a_hundred_changes_at_once_one_goes_through,
                a_user_who_is_kept_out_loses_every_session_with_the_change,
                two_users_never_have_one_wallet,
                a_user_is_added_once_and_the_first_login_finds_them,
                of_a_deleted_user_only_the_streams_and_the_audit_stay,
                users_are_found_by_every_part_of_a_filter_in_pages,
                the_audit_is_found_by_every_part_of_a_filter_in_pages,
                a_purge_takes_old_audit_records_and_no_number_is_given_twice,
            }
            api_tokens {
                a_token_comes_back_as_it_was_made_in_the_order_of_names,
                no_two_tokens_have_one_name_or_one_id,
                of_a_hundred_who_make_a_token_as_many_do_as_there_may_be,
                a_token_is_revoked_once_and_its_name_is_free_then,
                a_use_is_kept_and_brings_no_revoked_token_back,
            }
            logins {
                a_first_login_adds_the_user_begins_a_session_and_is_in_the_audit,
                a_later_login_counts_and_leaves_what_the_operator_decides,
                of_a_hundred_first_logins_of_a_wallet_at_once_one_goes_through,
                a_login_of_a_user_who_is_not_as_it_was_made_from_leaves_no_trace,
                a_login_whose_session_is_there_already_is_undone_whole,
                sessions_beyond_the_most_are_ended_oldest_first,
                an_approval_and_its_session_are_stored_together_or_not_at_all,
            }
            sessions {
                a_session_is_ended_once_as_its_stream_and_the_audit_tell,
                of_a_hundred_who_end_a_session_one_does,
                all_sessions_of_a_user_end_those_that_ran_out_too_and_nobody_elses,
                sessions_that_rest_on_a_credential_end_with_it,
                a_session_is_carried_on_until_it_is_ended,
                a_credential_leads_to_its_latest_session_but_first_to_one_not_ended,
                sessions_of_a_user_come_in_pages_the_latest_first,
                a_session_is_active_until_it_expires_or_is_ended,
                a_purge_takes_old_sessions_and_their_streams_only_with_them,
                a_purge_takes_any_number_of_sessions,
                a_purge_takes_users_of_throw_away_keys_and_nobody_whom_an_operator_knew,
                a_purge_takes_any_number_of_users,
                somebody_who_was_forgotten_logs_in_as_a_new_user,
            }
            memory {
                a_user_who_was_read_is_read_as_every_change_leaves_them,
                a_session_that_was_read_is_read_as_every_change_leaves_it,
                a_session_that_was_read_goes_with_its_user_or_a_purge,
                a_user_who_was_read_goes_with_a_purge,
                a_session_comes_with_its_user_and_both_are_as_every_change_leaves_them,
                a_key_that_was_nobodys_is_its_users_from_their_login_on,
                an_approval_that_is_undone_teaches_nothing_whatever_was_asked_before,
            }
            sign_ins {
                a_text_serves_once_and_only_if_it_was_offered,
                of_a_hundred_who_sign_a_text_one_is_let_in,
                what_has_expired_makes_room,
            }
            web_sign_ins {
                a_sign_in_comes_back_as_it_was_opened_until_it_is_forgotten,
                of_a_hundred_who_renew_a_sign_in_one_does,
                a_code_serves_its_app_once_and_in_time,
                a_code_that_another_app_shows_serves_nobody_any_more,
                of_a_hundred_who_show_a_code_one_is_let_in,
            }
            history {
                a_signed_request_is_used_up_once_and_is_no_revocation,
                a_signed_request_that_was_shown_before_an_upgrade_stays_used_up,
                the_last_change_of_a_relay_holds_until_it_is_forgotten,
                a_token_is_revoked_once_and_until_it_expires,
                what_was_seen_of_the_clock_is_the_last_that_was_told,
                a_purge_drops_what_its_limits_say_and_nothing_else,
                a_purge_takes_any_number_of_rows,
                a_replay_of_a_purged_scan_finds_a_used_url_closed,
                a_purge_of_streams_takes_those_that_ended_long_ago_whole,
                a_purge_leaves_streams_that_somebody_still_needs,
                a_delivery_that_nobody_makes_does_not_keep_its_stream_for_ever,
                a_purge_takes_a_stream_of_any_length,
                a_store_says_how_much_room_it_takes_and_grows,
                a_closed_store_is_unavailable,
            }
            deliveries {
                every_event_owes_a_delivery,
                a_delivery_waits_for_the_one_before_it,
                streams_do_not_wait_for_each_other,
                what_is_given_up_is_kept_and_holds_up_nobody,
                deliveries_are_begun_anew_in_their_order,
                an_attempt_from_before_an_operators_word_changes_nothing_but_arrival,
                what_is_dropped_is_not_delivered_and_its_events_stay,
            }
            claims {
                prompt_bombing_stops_at_three_open_challenges,
                prompt_bombing_stops_at_ten_prompts_in_ten_minutes_even_when_each_is_declined,
                prompt_bombing_of_one_key_as_the_subkey_of_ever_new_users_stops_too,
                a_prompt_that_was_never_sent_does_not_count,
                of_a_hundred_who_ask_a_user_as_many_do_as_may,
                prompts_while_the_clock_was_ahead_lock_nobody_out_for_that_long,
                a_wallet_comes_so_often_within_any_window,
                wallets_and_what_they_come_for_are_counted_apart,
                of_a_hundred_visits_of_a_wallet_as_many_go_through_as_may,
                visits_while_the_clock_was_ahead_lock_nobody_out_for_that_long,
                a_signed_request_is_new_once,
                of_a_hundred_who_show_a_signed_request_one_is_let_in,
            }
            concurrency {
                of_a_hundred_who_close_a_challenge_one_does,
                of_a_hundred_who_scan_a_one_time_url_one_does,
                every_writer_of_many_gets_its_own_place_in_the_stream,
                a_follower_that_sees_the_end_has_seen_every_event,
            }
        }
    };
    ($make:path; $($topic:ident { $($promise:ident,)+ })+) => { $(
        mod $topic { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let (store, _guard) = $make().await;
                crate::conformance::$topic::$promise(&*store).await;
            }
        )+ }
    )+ };
}

/// Makes a test of every promise about the ring of keys.
macro_rules! keys_conformance {
    ($make:path) => {
        conformance! { $make;
            keys {
                keys_that_were_never_stored_are_none,
                keys_come_back_as_they_were_stored,
                keys_are_replaced_by_who_knows_the_last_ones,
                of_a_hundred_who_replace_the_keys_one_does,
            }
        }
    };
}
