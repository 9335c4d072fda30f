! The routine as ISAT calls it: value and Jacobian of every input in X.npy, with the bits of Y.npy and
! J.npy; and sizes that are not the model's, for which nothing is written.
!
! isat X.npy Y.npy J.npy, compiled with -DINPUTS=… -DOUTPUTS=…
program isat
  use iso_fortran_env, only: int8, int64, real64
  implicit none
  integer, parameter :: nx = INPUTS, nf = OUTPUTS, nh = 0
  real(real64), allocatable :: x(:), y(:), jacobian(:)
  real(real64) :: f(nf), g(nf * nx), h(1), rusr(1)
  integer :: need(3), iusr(1), row, rows, i, j, different, status
  integer, external :: usrfgh

  call numbers(1, x)
  call numbers(2, y)
  call numbers(3, jacobian)
  rows = size(x) / nx
  if (rows == 0 .or. size(y) /= rows * nf .or. size(jacobian) /= rows * nf * nx) error stop 2

  different = 0
  do row = 1, rows
    need = [1, 1, 0]
    f = 0
    g = 0
    status = usrfgh(need, nx, x((row - 1) * nx + 1), nf, nh, iusr, rusr, f, g, h)
    if (status /= 0 .or. any(need /= [1, 1, 0])) different = different + 1
    do i = 1, nf
      if (other(f(i), y((row - 1) * nf + i))) different = different + 1
      do j = 1, nx
        ! g(nf, nx) is stored column by column, and the file has the Jacobian row by row.
        if (other(g((j - 1) * nf + i), jacobian(((row - 1) * nf + i - 1) * nx + j))) different = different + 1
      end do
    end do
  end do

  ! The value alone leaves g, the Jacobian alone leaves f.
  need = [1, 0, 0]
  f = 7
  g = 7
  status = usrfgh(need, nx, x, nf, nh, iusr, rusr, f, g, h)
  if (status /= 0 .or. .not. untouched(g) .or. untouched(f)) different = different + 1
  need = [0, 1, 0]
  f = 7
  status = usrfgh(need, nx, x, nf, nh, iusr, rusr, f, g, h)
  if (status /= 0 .or. .not. untouched(f) .or. untouched(g)) different = different + 1

  ! Other sizes: a status that is not 0, and nothing written.
  need = [1, 1, 0]
  f = 7
  g = 7
  if (usrfgh(need, nx + 1, x, nf, nh, iusr, rusr, f, g, h) == 0) different = different + 1
  if (usrfgh(need, nx, x, nf - 1, nh, iusr, rusr, f, g, h) == 0) different = different + 1
  if (.not. untouched(f) .or. .not. untouched(g)) different = different + 1

  print '(a, i0, a, i0, a)', 'Fortran, ', rows, ' inputs: ', different, ' with other bits'
  if (different /= 0) error stop 1

contains

  ! Whether all numbers are still the 7 that was put there.
  logical function untouched(all)
    real(real64), intent(in) :: all(:)
    untouched = count(abs(all - 7) > 0) == 0
  end function untouched

  ! Whether two numbers differ in their bits.
  logical function other(a, b)
    real(real64), intent(in) :: a, b
    other = transfer(a, 0_int64) /= transfer(b, 0_int64)
  end function other

  ! The numbers of the .npy file that is this argument; they follow its header.
  subroutine numbers(argument, all)
    integer, intent(in) :: argument
    real(real64), allocatable, intent(out) :: all(:)
    character(len=1000) :: path
    integer(int8) :: length(2)
    integer(int64) :: bytes, start
    integer :: file
    call get_command_argument(argument, path)
    open (newunit=file, file=trim(path), access='stream', form='unformatted', status='old')
    inquire (unit=file, size=bytes)
    read (file, pos=9) length
    start = 10 + iand(int(length(1), int64), 255_int64) + 256 * iand(int(length(2), int64), 255_int64)
    allocate (all((bytes - start) / 8))
    read (file, pos=start + 1) all
    close (file)
  end subroutine numbers
end program isat
