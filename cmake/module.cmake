# module.cmake: one static library per folder of src/, which sees only the folders that it may use.
#
#   inferd_module(api USES core http grpc codec base LIBS PkgConfig::X)
#
# Includes are written "folder/file.h". Each folder gets an include directory of its own that holds nothing but a link to
# it, and a module's include path lists its own and those under USES: any other include does not compile.

function(inferd_module_name folder out)
  string(REPLACE "/" "_" name "inferd_${folder}")
  set(${out} ${name} PARENT_SCOPE)
endfunction()

function(inferd_include_directory folder out)
  string(REPLACE "/" "_" flat "${folder}")
  set(dir "${CMAKE_BINARY_DIR}/include/${flat}")
  get_filename_component(parent "${dir}/${folder}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/src/${folder}" "${dir}/${folder}" SYMBOLIC)
  set(${out} "${dir}" PARENT_SCOPE)
endfunction()

function(inferd_use target)
  foreach(folder ${ARGN})
    inferd_include_directory(${folder} dir)
    inferd_module_name(${folder} name)
    target_include_directories(${target} PRIVATE "${dir}")
    target_link_libraries(${target} PUBLIC ${name})
  endforeach()
endfunction()

function(inferd_module folder)
  cmake_parse_arguments(arg "" "" "USES;LIBS;EXCLUDE" ${ARGN})
  inferd_module_name(${folder} name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${folder}/*.c")
  foreach(excluded ${arg_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX "/src/${folder}/${excluded}")
  endforeach()
  if(NOT sources)
    set(sources "${CMAKE_BINARY_DIR}/no_sources.c")
    file(WRITE "${sources}" "typedef int no_sources;\n")
  endif()
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${name} PRIVATE ${INFERD_WARNINGS})
  inferd_include_directory(${folder} own)
  target_include_directories(${name} PRIVATE "${own}")
  inferd_use(${name} ${arg_USES})
  target_link_libraries(${name} PUBLIC ${arg_LIBS})
endfunction()
