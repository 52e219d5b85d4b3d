# link_time.cmake: the program is optimised as a whole (a tenth fewer instructions a request). The objects hold code for
# either way of linking, so that only the program pays for it: what says INFERD_LINK_APART, as the many test programs do,
# links as ever. A program that counts what it executes (profile.cmake) counts the same without this, and is built in less time.
set(INFERD_LINK_WHOLE "")
set(INFERD_LINK_APART "")
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT INFERD_SANITIZE
   AND NOT INFERD_PROFILE STREQUAL "generate")
  add_compile_options(-flto=auto -ffat-lto-objects)
  set(INFERD_LINK_WHOLE -flto=auto -O3)
  set(INFERD_LINK_APART -fno-lto)
endif()
