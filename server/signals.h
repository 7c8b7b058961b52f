/* The signals the daemon knows: TERM and INT end it, HUP has it load its models anew. */
#ifndef SERVER_SIGNALS_H
#define SERVER_SIGNALS_H

enum signals_event { SIGNALS_RELOAD, SIGNALS_END };

/* From now on they are kept for signals_wait(); one more TERM or INT behind the first ends the
 * process at once. */
void signals_catch(void);
/* Waits for the next. The end goes before all reloads. */
enum signals_event signals_wait(void);

#endif
