# profile.cmake: a program that is trained. INFERD_PROFILE=generate builds one that counts what it executes, and writes the
# counts to INFERD_PROFILE_DIR when it ends; INFERD_PROFILE=use builds one that is optimised by them: what is executed often
# is inlined and lies together. scripts/trained does both, and the load between them.
set(INFERD_PROFILE "" CACHE STRING "generate: count what is executed; use: optimise by the counts; empty: neither")
set(INFERD_PROFILE_DIR "${CMAKE_SOURCE_DIR}/build/profile" CACHE PATH "the counts of INFERD_PROFILE")
set(profile_flags "")
if(NOT INFERD_PROFILE STREQUAL "")
  if(NOT INFERD_PROFILE MATCHES "^(generate|use)$")
    message(FATAL_ERROR "INFERD_PROFILE must be generate or use, got \"${INFERD_PROFILE}\"")
  endif()
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "GNU" OR CMAKE_C_COMPILER_VERSION VERSION_LESS 12)
    message(FATAL_ERROR "INFERD_PROFILE needs gcc 12 or later, got ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}")
  endif()
  # Counts have the name of their object in its build folder, so that one folder may count for the other.
  set(profile_flags "-fprofile-${INFERD_PROFILE}=${INFERD_PROFILE_DIR}" "-fprofile-prefix-path=${CMAKE_BINARY_DIR}")
endif()
if(INFERD_PROFILE STREQUAL "generate")
  list(APPEND profile_flags -fprofile-update=prefer-atomic) # the server has many threads
  add_link_options(-fprofile-generate)
elseif(INFERD_PROFILE STREQUAL "use")
  file(GLOB counts "${INFERD_PROFILE_DIR}/*.gcda")
  if(NOT counts)
    message(FATAL_ERROR "INFERD_PROFILE_DIR: there are no counts in ${INFERD_PROFILE_DIR}; make trained makes them")
  endif()
  # What the load did not reach is optimised as ever, not for size. No warnings: some come and go with the counts, and every
  # other build has them all. That counts are of another source is not told either: scripts/trained sees to it.
  list(APPEND profile_flags -fprofile-partial-training -fprofile-correction -w)
endif()

# Not for the engine: its time goes into loops without branches, where counting would be most of the work.
function(inferd_profile target folder)
  if(NOT folder STREQUAL "engine")
    target_compile_options(${target} PRIVATE ${profile_flags})
  endif()
endfunction()
