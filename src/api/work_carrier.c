#include "api/work_carrier.h"

#include <stdlib.h>

#include "api/context.h"

struct carrier {
    struct api_task task; /* first: tasks are turned back into carriers */
    struct api_loop *loop;
    struct grpc_work *work;
};

static void bring_back(struct api_task *task) {
    struct carrier *carrier = (struct carrier *)task;
    carrier->work->done(carrier->work);
    free(carrier);
}

static void do_work(struct api_task *task) {
    struct carrier *carrier = (struct carrier *)task;
    carrier->work->run(carrier->work);
    task->run = bring_back;
    carrier->loop->post(carrier->loop, task);
}

bool work_carrier_submit(void *user, struct grpc_work *work) {
    const struct api_context *context = user;
    struct carrier *carrier = malloc(sizeof *carrier);
    if (!carrier)
        return false;
    *carrier = (struct carrier){.task = {.run = do_work}, .loop = context->loop, .work = work};
    if (context->decoders->submit(context->decoders, &carrier->task))
        return true;
    free(carrier);
    return false;
}
