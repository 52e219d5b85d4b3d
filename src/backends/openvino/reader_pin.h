/* reader_pin.h: for leak checks only: keeps the engine's readers of model files loaded.
 *
 * The engine opens the library that reads a format when it is needed and closes it afterwards. What the library keeps
 * for itself to the end (the state of its logging, 8 bytes) is then found without an owner, at an address without a
 * name, which no suppression can match. */
#ifndef INFERD_BACKENDS_OPENVINO_READER_PIN_H
#define INFERD_BACKENDS_OPENVINO_READER_PIN_H

/* Does nothing unless built with AddressSanitizer. */
void reader_pin(void);

#endif
