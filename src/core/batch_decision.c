#include "core/batch_decision.h"

enum { MARK_PASSED = BATCH_DROP + 1 }; /* while deciding: member of a group that must wait */

#define NONE SIZE_MAX

/* A group as far as it has been filled. */
struct group {
    size_t members; /* marked BATCH_RUN */
    uint64_t items, tokens;
    size_t preferred_members; /* the first so many make the largest preferred size that was reached; 0: none was */
    bool full;                /* a member was left out because it does not fit */
    uint64_t deadline_ns;     /* earliest of its members */
};

static uint64_t saturating_add(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? BATCH_NEVER : sum;
}

/* The candidate that follows `after` in order of urgency: of equal priority in order of arrival, then the next
 * priority. NONE as `after` gives the first; NONE as result ends. */
static size_t next_candidate(const struct batch_view *view, size_t after) {
    const struct batch_candidate *all = view->candidates;
    if (after != NONE)
        for (size_t i = after + 1; i < view->count; i++)
            if (all[i].priority == all[after].priority)
                return i;
    size_t best = NONE;
    for (size_t i = 0; i < view->count; i++)
        if ((after == NONE || all[i].priority > all[after].priority) &&
            (best == NONE || all[i].priority < all[best].priority))
            best = i;
    return best;
}

static bool is_preferred(const struct batch_policy *policy, uint64_t items) {
    size_t low = 0, high = policy->preferred_count; /* there may be as many as there are sizes */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (policy->preferred[middle] < items)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < policy->preferred_count)
        return policy->preferred[low] == items;
    return policy->preferred_count == 0 && items == policy->max_items;
}

static uint64_t largest_preferred(const struct batch_policy *policy) {
    return policy->preferred_count ? policy->preferred[policy->preferred_count - 1] : policy->max_items;
}

static bool fits(const struct batch_policy *policy, const struct group *group,
                 const struct batch_candidate *candidate) {
    if (group->members == 0)
        return true;
    if (group->items + candidate->items > policy->max_items)
        return false;
    return policy->token_budget == 0 || group->tokens + candidate->tokens <= policy->token_budget;
}

static void add_member(const struct batch_policy *policy, struct group *group,
                       const struct batch_candidate *candidate) {
    group->members++;
    group->items += candidate->items;
    group->tokens += candidate->tokens;
    if (candidate->deadline_ns && candidate->deadline_ns < group->deadline_ns)
        group->deadline_ns = candidate->deadline_ns;
    if (is_preferred(policy, group->items))
        group->preferred_members = group->members;
}

/* Marks the leader and all that may join it. */
static struct group form_group(const struct batch_policy *policy, const struct batch_view *view, size_t leader,
                               unsigned char *marks) {
    struct group group = {.deadline_ns = BATCH_NEVER};
    uint64_t key = view->candidates[leader].key;
    for (size_t i = leader; i != NONE; i = next_candidate(view, i)) {
        const struct batch_candidate *candidate = &view->candidates[i];
        if (marks[i] != BATCH_WAIT || !(policy->ragged || candidate->key == key))
            continue;
        if (!fits(policy, &group, candidate)) {
            group.full = true;
            continue;
        }
        marks[i] = BATCH_RUN;
        add_member(policy, &group, candidate);
        if (!policy->enabled || group.items >= policy->max_items)
            break;
    }
    return group;
}

/* How long a group's oldest request waits for others. */
static uint64_t delay_of(const struct batch_policy *policy, const struct batch_view *view, const struct group *group) {
    if (policy->max_delay_ns > 0)
        return policy->max_delay_ns;
    return view->computing && group->tokens < policy->gather_tokens ? policy->gather_ns : 0;
}

/* How many of the group's members run now; 0: it waits. */
static size_t members_to_run(const struct batch_policy *policy, const struct batch_view *view,
                             const struct group *group, uint64_t delay_ns, uint64_t delay_end_ns, uint64_t now_ns) {
    if (!policy->enabled)
        return group->members;
    bool waited = delay_ns > 0 && now_ns >= delay_end_ns;
    if (group->preferred_members && !waited)
        return group->preferred_members;
    bool grown = group->full || view->truncated || group->items >= largest_preferred(policy);
    bool urgent = group->deadline_ns <= delay_end_ns && group->deadline_ns != BATCH_NEVER;
    if (waited || delay_ns == 0 || grown || urgent)
        return group->members;
    return 0;
}

/* Gives all members behind the first `keep` (in order of urgency from the leader on) the mark `mark`. */
static void mark_rest(const struct batch_view *view, size_t leader, size_t keep, unsigned char mark,
                      unsigned char *marks) {
    for (size_t i = leader; i != NONE; i = next_candidate(view, i)) {
        if (marks[i] != BATCH_RUN)
            continue;
        if (keep)
            keep--;
        else
            marks[i] = mark;
    }
}

static uint64_t drop_dead(const struct batch_view *view, uint64_t now_ns, unsigned char *marks, size_t *ret_dropped) {
    uint64_t next_deadline = BATCH_NEVER;
    for (size_t i = 0; i < view->count; i++) {
        const struct batch_candidate *candidate = &view->candidates[i];
        bool late = candidate->deadline_ns && now_ns > candidate->deadline_ns;
        marks[i] = late || candidate->cancelled ? BATCH_DROP : BATCH_WAIT;
        if (marks[i] == BATCH_DROP)
            ++*ret_dropped;
        else if (candidate->deadline_ns && candidate->deadline_ns < next_deadline)
            next_deadline = candidate->deadline_ns;
    }
    return saturating_add(next_deadline, 1); /* it is over only after its deadline */
}

struct batch_decision batch_decide(const struct batch_policy *policy, const struct batch_view *view, uint64_t now_ns,
                                   unsigned char *marks) {
    struct batch_decision decision = {0};
    decision.wake_ns = drop_dead(view, now_ns, marks, &decision.drop_count);
    if (!view->instance_idle)
        return decision;
    for (size_t leader = next_candidate(view, NONE); leader != NONE; leader = next_candidate(view, leader)) {
        if (marks[leader] != BATCH_WAIT)
            continue;
        struct group group = form_group(policy, view, leader, marks);
        uint64_t delay = delay_of(policy, view, &group);
        uint64_t delay_end = saturating_add(view->candidates[leader].queued_ns, delay);
        decision.run_count = members_to_run(policy, view, &group, delay, delay_end, now_ns);
        if (decision.run_count) {
            mark_rest(view, leader, decision.run_count, BATCH_WAIT, marks);
            break;
        }
        mark_rest(view, leader, 0, MARK_PASSED, marks);
        if (delay_end < decision.wake_ns)
            decision.wake_ns = delay_end;
    }
    for (size_t i = 0; i < view->count; i++)
        if (marks[i] == MARK_PASSED)
            marks[i] = BATCH_WAIT;
    return decision;
}
