# cuda.cmake: the engine for NVIDIA GPUs: engine/cuda/, whose .cu files nvcc compiles, in place of engine/cuda/no_cuda.c. A
# build never fails for want of nvcc: it prints what is missing, and has no_cuda.c. What the engine needs when it runs (a
# driver, cuBLASLt) it opens then.
option(INFERD_CUDA "build the engine for NVIDIA GPUs, where nvcc and its sources are" ON)
set(INFERD_CUDA_ARCHITECTURES 80 90) # A100; H100 and H200

function(inferd_nvcc_version nvcc out)
  execute_process(COMMAND "${nvcc}" --version OUTPUT_VARIABLE text ERROR_QUIET)
  string(REGEX MATCH "V([0-9.]+)" ignored "${text}")
  set(${out} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

# Why the engine cannot be built, or nothing; `flags` are nvcc's.
function(inferd_cuda_obstacle flags out)
  set(${out} "" PARENT_SCOPE)
  if(NOT INFERD_CUDA)
    set(${out} "INFERD_CUDA is off" PARENT_SCOPE)
    return()
  endif()
  if(NOT INFERD_NVCC) # looked for in vain before: it may be there now
    unset(INFERD_NVCC CACHE)
  endif()
  find_program(INFERD_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin
    DOC "NVIDIA's compiler")
  if(NOT INFERD_NVCC)
    set(${out} "there is no nvcc" PARENT_SCOPE)
    return()
  endif()
  inferd_nvcc_version("${INFERD_NVCC}" version)
  get_filename_component(toolkit "${INFERD_NVCC}" REALPATH)
  get_filename_component(toolkit "${toolkit}/../.." ABSOLUTE)
  find_library(INFERD_CUDART cudart_static HINTS "${toolkit}" PATH_SUFFIXES lib64 lib targets/x86_64-linux/lib)
  find_path(INFERD_CUDA_INCLUDE cuda_runtime_api.h HINTS "${toolkit}" PATH_SUFFIXES include targets/x86_64-linux/include)
  file(WRITE "${CMAKE_BINARY_DIR}/nvcc_works.cu" "__global__ void nothing() {}\n")
  execute_process(COMMAND "${INFERD_NVCC}" ${flags} -c nvcc_works.cu -o nvcc_works.o WORKING_DIRECTORY "${CMAKE_BINARY_DIR}"
    RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
  if(failed OR NOT INFERD_CUDART OR NOT INFERD_CUDA_INCLUDE)
    set(${out} "${INFERD_NVCC}, version ${version}, does not compile for ${INFERD_CUDA_ARCHITECTURES} here, or has no cudart_static or its headers"
      PARENT_SCOPE)
  endif()
endfunction()

# For the target inferd_engine. nvcc is called as a command of its own: the flags of the C files are not for it.
function(inferd_engine_cuda)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/engine/cuda/*.cu")
  set(flags -O3 -std=c++17 -Xcompiler=-fPIC)
  foreach(architecture ${INFERD_CUDA_ARCHITECTURES})
    list(APPEND flags "-gencode=arch=compute_${architecture},code=sm_${architecture}")
  endforeach()
  list(GET INFERD_CUDA_ARCHITECTURES -1 newest) # GPUs that came later compile it when the program starts
  list(APPEND flags "-gencode=arch=compute_${newest},code=compute_${newest}")
  inferd_cuda_obstacle("${flags}" obstacle)
  file(GLOB own_c CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/engine/cuda/*.c")
  list(FILTER own_c EXCLUDE REGEX "/(cuda_driver|no_cuda)\\.c$")
  if(obstacle)
    message(STATUS "engine cuda: not built (${obstacle})")
    set_source_files_properties(${own_c} PROPERTIES HEADER_FILE_ONLY ON)
    return()
  endif()
  message(STATUS "engine cuda: ${INFERD_NVCC}, architectures ${INFERD_CUDA_ARCHITECTURES}")
  inferd_include_directory(engine own)
  inferd_include_directory(base base)
  foreach(source ${sources})
    get_filename_component(stem "${source}" NAME_WE)
    set(object "${CMAKE_BINARY_DIR}/${stem}.cu.o")
    add_custom_command(OUTPUT "${object}" DEPENDS "${source}" VERBATIM
      COMMAND "${INFERD_NVCC}" ${flags} "-I${own}" "-I${base}" -MD -MF "${object}.d" -c "${source}" -o "${object}"
      DEPFILE "${object}.d")
    target_sources(inferd_engine PRIVATE "${object}")
  endforeach()
  set_source_files_properties("${CMAKE_SOURCE_DIR}/engine/cuda/no_cuda.c" PROPERTIES HEADER_FILE_ONLY ON)
  get_filename_component(libraries "${INFERD_CUDART}" DIRECTORY)
  target_include_directories(inferd_engine SYSTEM PRIVATE "${INFERD_CUDA_INCLUDE}")
  set_target_properties(inferd_engine PROPERTIES INFERD_CUDA_INCLUDE "${INFERD_CUDA_INCLUDE}") # for tests/gpu
  target_compile_definitions(inferd_engine PRIVATE INFERD_CUDA_LIBRARIES="${libraries}")
  target_link_libraries(inferd_engine PUBLIC "${INFERD_CUDART}" rt stdc++)
endfunction()
