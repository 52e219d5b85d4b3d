# warnings.cmake: the strict list; the build stops on any of them.
set(INFERD_WARNINGS
  -Wall -Wextra -Wpedantic -Werror
  -Wshadow -Wconversion -Wsign-conversion -Wcast-qual -Wcast-align -Wpointer-arith
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wformat=2 -Wundef -Wvla -Walloca -Wwrite-strings -Wimplicit-fallthrough -Wswitch-enum)
# Off, gcc alone: it cannot follow "set unless an error was returned" through struct status, and its guesses change with the
# optimisation level. clang's -Wsometimes-uninitialized and the sanitizers watch the same ground.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND INFERD_WARNINGS -Wno-maybe-uninitialized)
endif()
