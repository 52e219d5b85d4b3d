# engines.cmake: the engines that are plug-ins, and what `make install` brings along.
#
# OpenVINO comes as a Python wheel in .venv, which is a complete C SDK. The plug-in finds the runtime by its RUNPATH: in the
# build tree the wheel's folder, installed the folder that lies beside it.
file(GLOB openvino_c_header "${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/openvino/include/openvino/c/openvino.h")
if(openvino_c_header)
  string(REPLACE "/include/openvino/c/openvino.h" "" openvino_root "${openvino_c_header}")
endif()
if(NOT INFERD_OPENVINO_DIR) # looked for in vain before: it may be there now
  unset(INFERD_OPENVINO_DIR CACHE)
endif()
set(INFERD_OPENVINO_DIR "${openvino_root}" CACHE PATH "the openvino folder of its Python wheel (holds include/ and libs/)")

# "2026.4.1", as the headers have it: the library's SONAME is of one release, so this is what will run.
function(inferd_openvino_version out)
  file(STRINGS "${INFERD_OPENVINO_DIR}/include/openvino/core/version.hpp" lines REGEX "define OPENVINO_VERSION_(MAJOR|MINOR|PATCH)")
  string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
  list(JOIN numbers "." version)
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

# For the plug-in, and tests of its files: their headers and OpenVINO's, and the runtime.
function(inferd_openvino_use target)
  file(GLOB runtime "${INFERD_OPENVINO_DIR}/libs/libopenvino_c.so*")
  list(GET runtime 0 runtime)
  inferd_include_directory(backends/openvino own)
  target_include_directories(${target} SYSTEM PRIVATE "${INFERD_OPENVINO_DIR}/include")
  target_include_directories(${target} PRIVATE "${own}")
  target_link_libraries(${target} PRIVATE "${runtime}")
endfunction()

function(inferd_openvino_backend)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/backends/openvino/*.c")
  if(NOT INFERD_OPENVINO_DIR OR NOT sources)
    message(STATUS "engine openvino: not built (run make openvino to get its runtime)")
    return()
  endif()
  message(STATUS "engine openvino: ${INFERD_OPENVINO_DIR}")
  add_library(inferd_backend_openvino MODULE ${sources})
  target_compile_options(inferd_backend_openvino PRIVATE ${INFERD_WARNINGS} -fvisibility=hidden)
  inferd_use(inferd_backend_openvino core checkpoint codec base)
  inferd_openvino_use(inferd_backend_openvino)
  target_link_options(inferd_backend_openvino PRIVATE -Wl,--exclude-libs,ALL ${INFERD_LINK_APART})
  inferd_openvino_version(version)
  target_compile_definitions(inferd_backend_openvino PRIVATE INFERD_OPENVINO_VERSION="${version}")
  set_target_properties(inferd_backend_openvino PROPERTIES
    PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib/inferd"
    BUILD_RPATH "${INFERD_OPENVINO_DIR}/libs" INSTALL_RPATH "$ORIGIN/openvino")
endfunction()

# Our own engine's kernels for the CPU (engine/kernels), as the objects `engine_kernels`, since they take long to compile and
# the tests' engine for GPUs has them too. Each file is compiled for its instruction set alone, and runs only where
# engine/cpu_features.c has found it.
function(inferd_engine_kernels)
  set(avx512 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni)
  set(kernels "${CMAKE_SOURCE_DIR}/engine/kernels/kernels")
  file(GLOB sources CONFIGURE_DEPENDS "${kernels}_*.c")
  inferd_include_directory(engine own)
  add_library(engine_kernels OBJECT ${sources})
  set_target_properties(engine_kernels PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_options(engine_kernels PRIVATE ${INFERD_WARNINGS})
  target_include_directories(engine_kernels PRIVATE "${own}")
  target_sources(inferd_engine PRIVATE $<TARGET_OBJECTS:engine_kernels>)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set_source_files_properties("${kernels}_avx2.c" "${kernels}_avx512.c" "${kernels}_avx512_bf16.c"
      PROPERTIES HEADER_FILE_ONLY ON)
    return()
  endif()
  set(optimise -O3 -fno-lto) # what the linker would make of the kernels is not what was measured
  if(INFERD_SANITIZE)
    set(optimise -O1 -DINFERD_PLAIN_LOOPS)
  endif()
  set_source_files_properties("${kernels}_avx2.c" PROPERTIES COMPILE_OPTIONS "${optimise};-mavx2;-mfma")
  set_source_files_properties("${kernels}_avx512.c" PROPERTIES COMPILE_OPTIONS "${optimise};${avx512}")
  set_source_files_properties("${kernels}_avx512_bf16.c" PROPERTIES COMPILE_OPTIONS "${optimise};${avx512};-mavx512bf16")
endfunction()

function(inferd_install)
  install(TARGETS inferd RUNTIME DESTINATION bin)
  if(TARGET inferd_backend_openvino)
    install(TARGETS inferd_backend_openvino LIBRARY DESTINATION lib/inferd)
    install(DIRECTORY "${INFERD_OPENVINO_DIR}/libs/" DESTINATION lib/inferd/openvino USE_SOURCE_PERMISSIONS
      FILES_MATCHING PATTERN "*.so*"
      REGEX "intel_(gpu|npu)_plugin" EXCLUDE) # the plug-in computes on the CPU
    file(GLOB licences "${INFERD_OPENVINO_DIR}/../openvino-*.dist-info/licenses")
    install(DIRECTORY ${licences} DESTINATION lib/inferd/openvino)
  endif()
endfunction()
