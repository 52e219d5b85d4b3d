# sanitizers.cmake: -DINFERD_SANITIZE=address,undefined (or thread) instruments everything that is compiled.
set(INFERD_SANITIZE "" CACHE STRING "sanitizers to build with: address,undefined | thread")
if(INFERD_SANITIZE)
  add_compile_options(-fsanitize=${INFERD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${INFERD_SANITIZE})
endif()
